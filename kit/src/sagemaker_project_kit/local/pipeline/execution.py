"""Runs the steps of a definition: each as soon as what it waits for is there, independent ones side by side.

As on AWS a step in a branch runs only if its Condition chose that branch, a failed step fails the execution, and no new
step starts after that; here the steps under way are ended too. The main thread sleeps until a worker or a signal has
news; only it changes the record, so there is nothing to lock.
"""

import contextlib
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sagemaker_project_kit.local.errors import ExecutionStopped, LocalError, StepFailed, in_words
from sagemaker_project_kit.local.jobs import lambdas, models, processing, training, transform, tuning
from sagemaker_project_kit.local.jobs.job import Job, Properties, Runtime
from sagemaker_project_kit.local.pipeline.cache import ATTRIBUTES, Cache
from sagemaker_project_kit.local.pipeline.definition import Definition, Node, own_part
from sagemaker_project_kit.local.pipeline.events import Events
from sagemaker_project_kit.local.pipeline.expressions import Scope, evaluate, holds
from sagemaker_project_kit.local.pipeline.progress import Progress
from sagemaker_project_kit.local.pipeline.record import (
    FAILED,
    SKIPPED,
    STOPPED,
    SUCCEEDED,
    WAITING,
    RunRecord,
    StepRecord,
)


@dataclass(frozen=True)
class Ended:
    """A step has ended. `crash` is an error of this program, not of the step."""

    name: str
    status: str
    properties: Properties = field(default_factory=dict)
    source_arn: str = ""
    failure: str = ""
    crash: Exception | None = None


def _condition(job: Job) -> Properties:
    return {"Outcome": all(holds(condition) for condition in job.arguments["Conditions"])}


def _fail(job: Job) -> Properties:
    raise StepFailed(str(job.arguments.get("ErrorMessage") or "The pipeline reached this Fail step."))


_HANDLERS: dict[str, Callable[[Job], Properties]] = {
    "Processing": processing.run,
    "Training": training.run,
    "Tuning": tuning.run,
    "Transform": transform.run,
    "Model": models.create,
    "RegisterModel": models.register,
    "Lambda": lambdas.run,
    "Condition": _condition,
    "Fail": _fail,
}


class Execution:
    """One execution of a definition, at most `limit` steps at a time."""

    def __init__(
        self,
        definition: Definition,
        scope: Scope,
        runtime: Runtime,
        record: RunRecord,
        cache: Cache,
        progress: Progress,
        limit: int,
    ) -> None:
        self._nodes = definition.nodes
        self._scope = scope
        self._runtime = runtime
        self._record = record
        self._cache = cache
        self._progress = progress
        self._limit = limit
        self._events: Events[Ended] = Events()
        self._running = 0
        self._signal = 0
        self._crash: Exception | None = None

    def run(self) -> int:
        """Run to the end and return the exit code: 0, 1 for a failed step, 128 + the signal that stopped it."""
        with self._events:
            self._record.save()
            self._start_ready()
            while self._running:
                self._handle(self._events.wait())
                self._start_ready()
        code = self._conclude()
        if self._crash:
            raise self._crash
        return code

    def _conclude(self) -> int:
        failed = self._record.failed_steps()
        if failed:
            self._record.finish(FAILED, f"{failed[0].name}: {failed[0].failure}")
            return 1
        if self._signal:
            self._record.finish(STOPPED, f"stopped by {signal.Signals(self._signal).name}")
            return 128 + self._signal
        self._record.finish(SUCCEEDED)
        return 0

    # -- what may start

    def _start_ready(self) -> None:
        self._skip_branches()
        for node in self._nodes.values():
            if self._running < self._limit and not self._runtime.children.stopping and self._is_ready(node):
                self._start(node)

    def _skip_branches(self) -> None:
        """Mark what can no longer run. Repeated, because skipping one step can rule out another."""
        while True:
            ruled_out = [node for node in self._nodes.values() if self._is_ruled_out(node)]
            for node in ruled_out:
                self._record.steps[node.name].status = SKIPPED
            if not ruled_out:
                return

    def _state(self, name: str) -> str:
        return self._record.steps[name].status

    def _is_ruled_out(self, node: Node) -> bool:
        if self._state(node.name) != WAITING:
            return False
        if node.parent and (self._state(node.parent) == SKIPPED or self._other_branch(node)):
            return True
        return any(self._state(name) == SKIPPED for name in node.needs)

    def _other_branch(self, node: Node) -> bool:
        if node.parent is None or self._state(node.parent) != SUCCEEDED:
            return False
        return bool(self._scope.properties[node.parent]["Outcome"]) != (node.branch == "IfSteps")

    def _is_ready(self, node: Node) -> bool:
        waits_for = node.needs | ({node.parent} if node.parent else set())
        return self._state(node.name) == WAITING and all(self._state(name) == SUCCEEDED for name in waits_for)

    # -- running a step, in a thread of its own

    def _start(self, node: Node) -> None:
        step = self._record.steps[node.name]
        step.start()
        self._running += 1
        self._record.save()
        self._progress.started(step)
        threading.Thread(target=self._work, args=(node, step), name=node.name, daemon=True).start()

    def _work(self, node: Node, step: StepRecord) -> None:
        end = partial(Ended, node.name)
        try:
            self._events.post(self._perform(node, step))
        except ExecutionStopped:
            self._events.post(end(STOPPED))
        except (StepFailed, LocalError) as error:
            self._events.post(end(FAILED, failure=str(error)))
        except OSError as error:
            self._events.post(end(FAILED, failure=in_words(error)))
        except Exception as error:  # a mistake of ours: `run` raises it again when all is tidy
            self._events.post(end(FAILED, failure=repr(error), crash=error))

    def _perform(self, node: Node, step: StepRecord) -> Ended:
        resolved = evaluate({**own_part(node.step), "PropertyFiles": [], "Name": node.name}, self._scope)
        arguments: dict[str, Any] = resolved.get("Arguments") or {}
        hit = self._cache.find(resolved, arguments) if node.type in ATTRIBUTES else None
        if hit is not None:
            return Ended(node.name, SUCCEEDED, hit["Properties"], hit["PipelineExecutionArn"])
        job = Job(resolved, arguments, step.log, self._runtime, partial(setattr, step, "note"))
        properties = _HANDLERS[node.type](job)
        self._cache.store(resolved, arguments, properties, self._runtime.execution_arn)
        return Ended(node.name, SUCCEEDED, properties)

    # -- what happened

    def _handle(self, event: Ended | signal.Signals) -> None:
        if isinstance(event, signal.Signals):
            self._stop(event)
            return
        self._running -= 1
        self._crash = self._crash or event.crash
        step = self._record.steps[event.name]
        step.source_arn, step.properties = event.source_arn, event.properties
        step.end(event.status, event.failure)
        if event.status == SUCCEEDED:
            self._keep(step)
        elif event.status == FAILED:
            self._runtime.children.stop()
        self._record.save()
        self._progress.ended(step)

    def _keep(self, step: StepRecord) -> None:
        self._scope.properties[step.name] = step.properties
        if step.type == "RegisterModel":
            self._record.package = step.properties
        with contextlib.suppress(OSError):  # the links are for people's convenience only
            self._record.link_outputs(step)

    def _stop(self, number: signal.Signals) -> None:
        """The first signal asks the steps to end; a second one makes them."""
        self._runtime.children.stop(signal.SIGKILL if self._signal else signal.SIGTERM)
        self._signal = number
        self._progress.stopping(number)
