"""Renews service_catalog/templates/released.json: what resources with a name cannot change, as the last release had it.

    python -m scripts.released      only when a version is released: until then the file says what is out there

CloudFormation replaces nothing that has a name of the template's, so a reworded description of a managed policy would
roll back every publish and upgrade from then on. A test holds the templates to the file: a value that must change gets
a new name with it.
"""

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.emulator.create_only import CREATE_ONLY, value
from scripts.bake import ROOT
from service_catalog import joiner

TARGET = ROOT / "service_catalog" / "templates" / "released.json"
Values = dict[str, dict[str, Any]]


def values(resources: Mapping[str, Mapping[str, Any]]) -> Values:
    """Logical id to the name and the create-only values of each resource that the template names."""
    found: Values = {}
    for logical_id, resource in resources.items():
        paths = CREATE_ONLY.get(resource["Type"], [])
        if paths and value(resource["Properties"], paths[0]) is not None:
            found[logical_id] = {path: value(resource["Properties"], path) for path in paths}
    return found


def refused(before: Values, after: Values) -> list[str]:
    """What CloudFormation would refuse to update: same name, another value, in the words of who has to mend it."""
    return [
        f"{logical_id}: {path} was {old!r} in the last release and is {after[logical_id].get(path)!r}; nothing "
        f"that has a name can change it: write what it was, or change the name too"
        for logical_id, kept in before.items()
        if logical_id in after and next(iter(kept.values())) == next(iter(after[logical_id].values()))
        for path, old in kept.items()
        if after[logical_id].get(path) != old
    ]


def main() -> None:
    """Write the file."""
    table = {name: values(joiner.template(name).resources) for name in joiner.NAMES}
    TARGET.write_text(json.dumps(table, indent=1, sort_keys=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
