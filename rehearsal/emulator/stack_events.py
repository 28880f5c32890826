"""CloudFormation's events on the default bus: what becomes of a stack."""

from typing import Any

from . import seams
from .service import emit, spawn


def _tell(stack_id: str, name: str, status: str, reason: str) -> None:
    detail: dict[str, Any] = {"stack-id": stack_id, "status-details": {"status": status, "status-reason": reason}}
    spawn(emit, "aws.cloudformation", "CloudFormation Stack Status Change", detail, [stack_id])


seams.on_stack_status(_tell)
