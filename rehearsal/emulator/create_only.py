"""What CloudFormation can only give to a new resource, for the types of this repository's templates that have names.

create_only.json names, for each type, the property that names it, then what cannot change otherwise: the registry's
createOnlyProperties, which a test compares. It imports nothing of the emulator's: scripts/released.py reads it too.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CREATE_ONLY: dict[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def value(properties: Mapping[str, Any], path: str) -> Any:
    """A property, such as GitConfig/Branch; None if it is not given."""
    found: Any = properties
    for name in path.split("/"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
