"""What the schemas of every region say about folders of templates: types and properties that a region does not know.

    python schemas.py FOLDER     prints as JSON {"unknown": {type: [region, …]}, "create_only": {type: [property, …]},
                                 "properties": [[file, resource, property, region], …], "regions": [region, …]}

Runs in the scanners' own environment, whose cfn-lint carries the registry's schemas of every region; one process reads
them all. A property counts as unknown where the schema of its object names its properties and not this one.
"""

import functools
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cfnlint.decode.cfn_yaml import load
from cfnlint.helpers import REGIONS
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

Schema = Mapping[str, Any]


def resources(folder: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """File, logical id and declaration of every resource."""
    for path in sorted(folder.glob("*.yaml")):
        for name, resource in load(str(path))["Resources"].items():
            yield path.name, str(name), resource


@functools.cache
def types(region: str) -> frozenset[str]:
    return frozenset(PROVIDER_SCHEMA_MANAGER.get_resource_types(region))


@functools.cache
def schema(region: str, type_name: str) -> Schema:
    found: Schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, type_name).schema
    return found


def unknown(value: Any, node: Schema, root: Schema, path: str = "") -> Iterator[str]:
    """Where a value has a property that the schema does not; the branches of Fn::If are looked at each."""
    while "$ref" in node:
        node = root["definitions"][str(node["$ref"]).rpartition("/")[2]]
    if isinstance(value, list):
        for one in value if isinstance(node.get("items"), dict) else ():
            yield from unknown(one, node["items"], root, path)
    if not isinstance(value, dict):
        return
    function = str(next(iter(value), "")) if len(value) == 1 else ""
    if function == "Fn::If":
        for branch in value[function][1:]:
            yield from unknown(branch, node, root, path)
    if function.startswith(("Fn::", "Ref")):
        return
    known: Schema = node.get("properties") or {}
    for name, inner in value.items() if known else ():
        if name in known:
            yield from unknown(inner, known[name], root, f"{path}/{name}")
        elif not (node.get("additionalProperties", True) or node.get("patternProperties")):
            yield f"{path}/{name}"


def look(folder: Path) -> dict[str, Any]:
    """Every template of a folder against every region; a schema that two regions share is read once."""
    without: dict[str, set[str]] = defaultdict(set)
    properties: list[list[str]] = []
    create_only: dict[str, list[str]] = {}
    for file, name, resource in resources(folder):
        kind = str(resource["Type"])
        told: dict[str, list[str]] = {}
        for region in sorted(REGIONS):
            if kind not in types(region):
                without[kind].add(region)
                continue
            known = schema(region, kind)
            create_only.setdefault(kind, sorted(known.get("createOnlyProperties", [])))
            key = json.dumps(known, sort_keys=True, default=str)
            if key not in told:
                told[key] = sorted(set(unknown(resource.get("Properties") or {}, known, known)))
            properties += [[file, name, where, region] for where in told[key]]
    return {
        "unknown": {kind: sorted(regions) for kind, regions in sorted(without.items())},
        "properties": properties,
        "create_only": create_only,
        "regions": sorted(REGIONS),
    }


if __name__ == "__main__":
    json.dump(look(Path(sys.argv[1])), sys.stdout)
