"""How the tests of the repository are told apart, and spread over processes.

Each test is in one group: that of a marker below, or the quick ones, which have none. `make` has a verb for each.
"""

import pytest

pytest_plugins = ["pytester"]

GROUPS = ("templates", "story", "faults", "bake", "toolkits")
_SHARED = {"module", "class", "package"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put each test into its group, and tests that share a fixture into one process."""
    for item in items:
        if "infrastructure" in item.path.parts:
            item.add_marker("templates")
        groups = [name for name in GROUPS if item.get_closest_marker(name)]
        if len(groups) > 1:
            raise pytest.UsageError(f"{item.nodeid} is in the groups {' and '.join(groups)}: one marker is enough")
        if not item.get_closest_marker("xdist_group") and _shares(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _shares(item: pytest.Item) -> bool:
    """Whether it needs something that is made once for several tests of its file."""
    found = getattr(item, "_fixtureinfo", None)
    definitions = found.name2fixturedefs.values() if found else ()
    return any(fixture.scope in _SHARED for each in definitions for fixture in each)
