"""A template that names a type its region does not know is refused, though the condition of the resource is false.

"Template format error: Unrecognized resource types: [AWS::Budgets::Budget]" (aws-cloudformation/
cloudformation-coverage-roadmap issue 2177, in eu-central-2); conditions are not looked at (aws/
serverless-application-model issue 1167). DescribeType tells whether a region has a type, those that the registry calls
NON_PROVISIONABLE too, of which AWS::Budgets::Budget is one (go-to-k/cdkd issue 1041).

regions.json names the regions without a type, for the types of this repository's templates: the schemas of AWS's own
linter, which a test compares. A type that it does not name is everywhere.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import seams
from .service import region

_WITHOUT: dict[str, list[str]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def _unrecognized(template: Mapping[str, Any]) -> str | None:
    """What CloudFormation says to a template with types that are unknown where it is called."""
    resources = (template.get("Resources") or {}).values()
    named = {str(resource.get("Type")) for resource in resources if isinstance(resource, Mapping)}
    unknown = sorted(name for name in named if region() in _WITHOUT.get(name, ()))
    return f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]" if unknown else None


def _describe(name: str) -> dict[str, str] | None:
    """A type as DescribeType tells it; None where the region has none of that name."""
    if name not in seams.resource_types() or region() in _WITHOUT.get(name, ()):
        return None
    arn = f"arn:aws:cloudformation:{region()}::type/resource/{name.replace('::', '-')}"
    return {"Arn": arn, "Type": "RESOURCE", "TypeName": name, "Visibility": "PUBLIC"}


seams.before_reading(_unrecognized)
seams.describe_types_with(_describe)
