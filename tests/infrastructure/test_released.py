"""What cannot change under a name is what the last release had: every upgrade would be refused otherwise."""

import copy
import json

import pytest

from scripts import released
from service_catalog import joiner

RELEASED: dict[str, released.Values] = json.loads(released.TARGET.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", joiner.NAMES)
def test_nothing_with_a_name_changes_what_it_cannot(name: str) -> None:
    assert released.refused(RELEASED[name], released.values(joiner.template(name).resources)) == []


@pytest.mark.parametrize("name", joiner.NAMES)
def test_every_reworded_value_would_be_seen(name: str) -> None:
    """Each of the file's values, changed alone."""
    resources = joiner.template(name).resources
    now, seen = released.values(resources), 0
    for logical_id in RELEASED[name].keys() & now.keys():
        for path in list(now[logical_id])[1:]:
            other = copy.deepcopy(now)
            other[logical_id][path] = "reworded"
            (words,) = released.refused(RELEASED[name], other)
            assert words.startswith(f"{logical_id}: {path} was ")
            seen += 1
    assert seen > 3


def test_a_new_name_is_the_way_out() -> None:
    before: released.Values = {"P": {"ManagedPolicyName": "p", "Description": "a"}}
    after: released.Values = {"P": {"ManagedPolicyName": "p-2", "Description": "b"}}
    assert released.refused(before, after) == []
    assert released.refused(before, {}) == []
