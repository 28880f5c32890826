"""Policy variables in conditions, such as ${aws:RequestedRegion}, which ministack compares as they stand.

"Policy variables", IAM user guide: a key of the request takes the place of its variable, and a statement with a
variable that the request has no value for does not count. AWS's own ROSAImageRegistryOperatorPolicy has this very one.
Defaults after a comma are not known here, so that a statement with one does not count either.
"""

import re
from typing import Any

from ministack.core import iam_evaluator  # type: ignore[import-not-found]

VARIABLE = re.compile(r"\$\{([^}]+)\}")
_conditions_met = iam_evaluator._conditions_met


class _MissingError(Exception):
    """The request has no value for a variable."""


def _met(conditions: dict[str, Any], context: Any) -> bool:
    try:
        return bool(_conditions_met(_filled(conditions, context), context))
    except _MissingError:
        return False


def _filled(value: Any, context: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, context) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, context) for each in value]
    if not isinstance(value, str) or "${" not in value:
        return value
    return VARIABLE.sub(lambda found: _value(found[1], context), value)


def _value(key: str, context: Any) -> str:
    found = iam_evaluator._resolve_condition_key(key, context)
    if not isinstance(found, str):
        raise _MissingError(key)
    return found


iam_evaluator._conditions_met = _met
