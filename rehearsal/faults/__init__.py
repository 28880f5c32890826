"""The fault bench: what may go wrong in a project's life, played, each with what must hold afterwards.

    make faults                                      every fault, several at a time
    make faults ARGS="--fault production-denied"     one
    make faults ARGS=--list                          what there is

One file a concern; a file that is not imported here is not played.
"""

from rehearsal.faults import (
    answers,
    approvals,
    baking,
    building,
    configuration,
    evidence,
    permissions,
    publishing,
    restarts,
    stacks,
    templates,
    traffic,
)
from rehearsal.faults.fault import FAULTS

__all__ = [
    "ELSEWHERE",
    "FAULTS",
    "answers",
    "approvals",
    "baking",
    "building",
    "configuration",
    "evidence",
    "permissions",
    "publishing",
    "restarts",
    "stacks",
    "templates",
    "traffic",
]

# What can go wrong and is not played, with the reason.
ELSEWHERE = {
    "A subnet or a security group that does not exist": "the emulator has no network that could lack it",
    "An instance type that a region lacks": "nothing here knows what regions have; Release asks Service Quotas instead",
    "A baseline of Model Monitor that is gone or spoilt": "no step makes one yet; contract and evaluation are played",
    "Production's quota used up, a spot interruption, an image that cannot be pulled": "processes stand for instances",
    "A single fault in a template": "tests/infrastructure plays them all against the gate (mutations.toml)",
}
