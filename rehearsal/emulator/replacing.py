"""CloudFormation replaces nothing that has a name of the template's: the new one could not stand beside the old.

"CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename … and update the stack
again." (data-dot-all/dataall issue 1080, awsdocs/aws-cloudformation-user-guide issue 927; ministack issue 1433). A new
name is the way out, and a generated one never is in the way.
"""

from collections.abc import Mapping
from typing import Any

from . import seams
from .create_only import CREATE_ONLY, value


def _refusal(kind: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    """Why a resource is not updated: it keeps its name, and a property changes that nothing but a new one can have."""
    named, *paths = CREATE_ONLY.get(kind, ["", ""])
    name = value(old, named)
    if not name or name != value(new, named) or all(value(old, path) == value(new, path) for path in paths):
        return None
    return (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        f"Rename {name} and update the stack again."
    )


seams.before_update(_refusal)
