"""The accounts of the tests: any twelve digits are one in the emulator, so no test needs another's."""

import itertools

_numbers = itertools.count(100000000001)


def next_account() -> str:
    """An account number that nothing in this process had before."""
    return str(next(_numbers))
