"""Who may enter a stage: one execution at a time and, in a queue, in the order in which they began.

"How do executions work", CodePipeline user guide. QUEUED: an execution waits for those before it. SUPERSEDED: of
several that wait for a stage the newest goes on and the others end. PARALLEL: nobody waits.
"""

import threading
from dataclasses import dataclass

from rehearsal.emulator.codepipeline import executions
from rehearsal.emulator.codepipeline.executions import STOPPING, SUPERSEDED, Execution
from rehearsal.emulator.service import Store


@dataclass
class Transition:
    """A closed way into a stage: who closed it why."""

    reason: str
    changed_by: str


closed: Store[Transition] = Store("closed")
_inside: dict[tuple[str, str], str] = {}  # (pipeline's ARN, stage) → execution
changed = threading.Condition()
QUEUE_LIMIT = 50


def door(pipeline: str, stage: str) -> str:
    """The name of the way into a stage among those that are closed."""
    return f"{pipeline} {stage}"


def enter(execution: Execution, stage: str, position: int) -> bool:
    """Wait for the stage and take it; False if the execution ends instead."""
    execution.waiting, execution.position = stage, position
    with changed:
        changed.notify_all()
        changed.wait_for(lambda: _ends(execution) or _may_enter(execution, stage))
        execution.waiting = ""
        if _ends(execution):
            return False
        _inside[execution.arn, stage] = execution.id
        return True


def forget(pipeline: str) -> None:
    """A pipeline is gone, and its closed doors with it: a later one of this name begins with open ones."""
    for name in closed:
        if name.startswith(door(pipeline, "")):
            closed.pop(name)


def leave(execution: Execution, stage: str) -> None:
    """Let the next one in."""
    with changed:
        if _inside.get((execution.arn, stage)) == execution.id:
            del _inside[execution.arn, stage]
        changed.notify_all()


def wake() -> None:
    """Something that somebody waits for may have happened."""
    with changed:
        changed.notify_all()


def _ends(execution: Execution) -> bool:
    return execution.done or execution.status == STOPPING


def _may_enter(execution: Execution, stage: str) -> bool:
    if door(execution.pipeline.name, stage) in closed:
        return False
    mode = execution.pipeline.mode
    if mode == "PARALLEL":
        return True
    if mode == "SUPERSEDED":
        _supersede(execution, stage)
    if _inside.get((execution.arn, stage)) not in (None, execution.id):
        return False
    return mode != "QUEUED" or not any(_is_ahead(other, execution) for other in _others(execution))


def _others(execution: Execution) -> list[Execution]:
    return [other for other in executions.of(execution.pipeline.name) if not other.done and other is not execution]


def _is_ahead(other: Execution, execution: Execution) -> bool:
    """Began earlier and has not come further than the stage in question."""
    return other.number < execution.number and other.position <= execution.position


def _supersede(execution: Execution, stage: str) -> None:
    for other in _others(execution):
        if other.waiting == stage and other.number < execution.number:
            other.set_status(SUPERSEDED, f"Superseded by {execution.id}")
