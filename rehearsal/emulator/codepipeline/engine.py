"""Runs executions: stage after stage, each group of actions at the same time, each execution on a thread of its own.

A failed action lets the others of its group finish and fails the stage and the execution. What was under way when the
emulator was killed goes on after a restart: succeeded actions are not repeated.
"""

import contextvars
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

from botocore.exceptions import ClientError

from rehearsal.emulator import seams
from rehearsal.emulator.codepipeline import approval, build, cloudformation, connections, gates, sources, variables
from rehearsal.emulator.codepipeline.declaration import Action, Pipeline, Stage
from rehearsal.emulator.codepipeline.executions import (
    ABANDONED,
    FAILED,
    IN_PROGRESS,
    SKIPPED,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    ActionRun,
    Execution,
    StageRun,
    announce_execution,
    announce_stage,
    executions,
    of,
)
from rehearsal.emulator.codepipeline.work import AbandonedError, ActionFailedError, Identity, Work
from rehearsal.emulator.service import AwsError, log, on_restore, spawn

_PROVIDERS: Mapping[str, Callable[[Work], None]] = {
    "CodeCommit": sources.from_codecommit,
    "S3": sources.from_s3,
    "CodeStarSourceConnection": connections.from_connection,
    "CodeBuild": build.run,
    "CloudFormation": cloudformation.run,
    "Manual": approval.run,
}
_numbering = threading.Lock()


def start(
    pipeline: Pipeline,
    version: int,
    trigger: dict[str, str],
    given: Mapping[str, str] | None = None,
    revisions: Mapping[str, str] | None = None,
) -> Execution:
    """Begin an execution. Raises AwsError for unknown or missing variables, and when the queue is full."""
    values = _variables(pipeline, given or {})
    with _numbering:
        under_way = [execution for execution in of(pipeline.name) if not execution.done]
        if len(under_way) > gates.QUEUE_LIMIT:
            raise AwsError("ConcurrentPipelineExecutionsLimitExceededException", f"{pipeline.name} has a full queue")
        number = max((execution.number for execution in of(pipeline.name)), default=0) + 1
        execution = Execution(str(uuid.uuid4()), number, pipeline, version, trigger, values, dict(revisions or {}))
        executions[execution.id] = execution
    announce_execution(execution, "STARTED")
    spawn(advance, execution)
    return execution


def _variables(pipeline: Pipeline, given: Mapping[str, str]) -> dict[str, str]:
    if unknown := sorted(set(given) - set(pipeline.variables)):
        raise AwsError("ValidationException", f"Pipeline {pipeline.name} has no variable {', '.join(unknown)}")
    values = {**pipeline.variables, **given}
    if missing := sorted(name for name, value in values.items() if value is None):
        raise AwsError("ValidationException", f"Pipeline variables without a value: {', '.join(missing)}")
    return {name: str(value) for name, value in values.items()}


def advance(execution: Execution) -> None:
    """Run the stages from the one that the execution has come to."""
    stages = execution.pipeline.stages
    while execution.position < len(stages):
        stage = stages[execution.position]
        if not gates.enter(execution, stage.name, execution.position):
            break
        try:
            status = _run_stage(execution, stage)
        finally:
            gates.leave(execution, stage.name)
        if status not in (SUCCEEDED, SKIPPED):
            break
        execution.position += 1
        gates.wake()
    _conclude(execution)


def _conclude(execution: Execution) -> None:
    """An execution that was abandoned or superseded has its state already."""
    if not execution.done:
        failed = any(run.status == FAILED for run in execution.stages.values())
        stopping = execution.status == STOPPING
        execution.set_status(FAILED if failed else STOPPED if stopping else SUCCEEDED)
    log.info("pipeline=%s execution=%s status=%s", execution.pipeline.name, execution.id, execution.status)
    gates.wake()


# --- a stage


def _run_stage(execution: Execution, stage: Stage) -> str:
    run = execution.stages.get(stage.name) or StageRun(stage.name)
    execution.stages[stage.name] = run
    run.status = IN_PROGRESS
    announce_stage(execution, run)
    run.status = _entry(execution, stage, run)
    if run.status == IN_PROGRESS:
        run.status = _run_groups(execution, stage, run)
    announce_stage(execution, run)
    return run.status


def _entry(execution: Execution, stage: Stage, run: StageRun) -> str:
    """InProgress if every condition holds; otherwise what the first that does not hold says."""
    run.conditions = []
    for condition in stage.conditions:
        found = [(rule.name, *variables.holds(rule, execution.scopes())) for rule in condition.rules]
        holds = all(outcome for _, outcome, _ in found)
        run.conditions.append((condition.result, SUCCEEDED if holds else FAILED, found))
        if not holds:
            return SKIPPED if condition.result == "SKIP" else FAILED
    return IN_PROGRESS


def _run_groups(execution: Execution, stage: Stage, run: StageRun) -> str:
    for group in stage.groups():
        remaining = [action for action in group if _status(run, action) != SUCCEEDED]
        _side_by_side(execution, [_bound(execution, run, action) for action in remaining])
        if execution.done:
            return STOPPED
        if any(_status(run, action) != SUCCEEDED for action in group):
            return FAILED
        if execution.status == STOPPING:
            return STOPPED
    return SUCCEEDED


def _status(run: StageRun, action: Action) -> str:
    return run.actions[action.name].status if action.name in run.actions else ""


def _bound(execution: Execution, stage: StageRun, action: Action) -> Callable[[], None]:
    return lambda: _run_action(execution, stage, action)


def _side_by_side(execution: Execution, functions: Sequence[Callable[[], None]]) -> None:
    """Call each on a thread of its own and wait for all, or until the execution is abandoned."""
    ended: list[object] = []

    def work(function: Callable[[], None]) -> None:
        try:
            function()
        finally:
            ended.append(function)
            gates.wake()

    for function in functions:
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(work, function), daemon=True, name="action").start()
    with gates.changed:
        gates.changed.wait_for(lambda: execution.done or len(ended) == len(functions))


# --- an action


def _run_action(execution: Execution, stage: StageRun, action: Action) -> None:
    run = stage.actions.get(action.name)
    if run is None or run.status != IN_PROGRESS:
        run = ActionRun(stage.name, action)
        stage.actions[action.name] = run
        execution.history.append(run)
    try:
        _perform(execution, run)
        _succeed(execution, run)
    except AbandonedError:
        execution.set_action(run, ABANDONED)
    except Exception as error:
        run.error = _error(error)
        execution.set_action(run, FAILED)


def _perform(execution: Execution, run: ActionRun) -> None:
    action = run.action
    run.configuration = dict(action.configuration)
    run.inputs = [execution.artifacts[name] for name in action.inputs if name in execution.artifacts]
    if missing := [name for name in action.inputs if name not in execution.artifacts]:
        raise ActionFailedError("ConfigurationError", f"The input artifact {missing[0]} was not made")
    run.configuration = variables.resolve_all(action.configuration, execution.scopes())
    execution.set_action(run, IN_PROGRESS)
    identity = Identity(execution.pipeline.role, action.role, execution.id, execution.arn)
    _PROVIDERS[action.provider](Work(execution, run, identity))


def _succeed(execution: Execution, run: ActionRun) -> None:
    execution.artifacts |= {artifact.name: artifact for artifact in run.outputs}
    if run.action.namespace:
        execution.namespaces[run.action.namespace] = run.variables
    execution.set_action(run, SUCCEEDED)


def _error(error: Exception) -> dict[str, str]:
    """As the API tells errors; an error of this engine is logged as well."""
    if isinstance(error, ActionFailedError):
        return {"code": error.code, "message": str(error)}
    if isinstance(error, variables.UnresolvedError):
        return {"code": "ConfigurationError", "message": str(error)}
    if isinstance(error, ClientError | AwsError):
        code = error.code if isinstance(error, AwsError) else error.response["Error"]["Code"]
        return {"code": "PermissionError" if "AccessDenied" in code else "JobFailed", "message": str(error)}
    log.exception("an action ended with an error of the emulator", exc_info=error)
    return {"code": "InternalError", "message": repr(error)}


# --- from outside


def stop(execution: Execution, abandon: bool, reason: str) -> None:
    """End an execution: after the actions under way, or at once, leaving them to themselves."""
    execution.set_status(STOPPING, reason)
    if abandon:
        for stage in execution.stages.values():
            stage.status = STOPPED if stage.status == IN_PROGRESS else stage.status
        execution.set_status(STOPPED, reason)
    gates.wake()


def retry(execution: Execution, stage: str, every_action: bool) -> None:
    """Go on with a failed stage: its failed actions, or all of them."""
    run = execution.stages[stage]
    kept = {} if every_action else {name: action for name, action in run.actions.items() if action.status == SUCCEEDED}
    run.actions = kept
    execution.attempt += 1
    execution.position = [entry.name for entry in execution.pipeline.stages].index(stage)
    execution.status, execution.changed = IN_PROGRESS, time.time()
    announce_execution(execution, "RESUMED")
    spawn(advance, execution)


@on_restore
def _resume() -> None:
    """Go on with every execution that was under way when the emulator ended."""
    for account, region, _, execution in executions.everywhere():
        if not execution.done:
            with seams.scope(account, region):
                spawn(advance, execution)
