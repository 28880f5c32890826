"""CloudFormation replaces nothing that has a name of the template's: the new one could not stand beside the old.

"CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename … and update the stack
again." (data-dot-all/dataall issue 1080, awsdocs/aws-cloudformation-user-guide issue 927; ministack issue 1433). A new
name is the way out, and a generated one never is in the way.

replacing.json names, for each type of this repository's templates that has any, the property that names it, then what
cannot change otherwise: the registry's createOnlyProperties, which a test compares.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import seams

CREATE_ONLY: dict[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def _at(properties: Mapping[str, Any], path: str) -> Any:
    found: Any = properties
    for name in path.split("/"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _refusal(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Why a resource is not updated: it keeps its name, and a property changes that nothing but a new one can have."""
    named, *paths = CREATE_ONLY.get(kind, ["", ""])
    name = _at(old, named)
    if not name or name != _at(new, named) or all(_at(old, path) == _at(new, path) for path in paths):
        return None
    return (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        f"Rename {name} and update the stack again."
    )


seams.before_update(_refusal)
