"""What every test of the project relies on."""

import signal


def pytest_configure() -> None:
    """A shell starts its background jobs with Ctrl-C ignored, and a process hands that on; the tests press it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
