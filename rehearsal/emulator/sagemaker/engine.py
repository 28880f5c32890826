"""Runs the steps of an execution: each as soon as what it waits for is there, independent ones side by side.

A step in a branch runs only if its condition chose that branch; after a failed step no other starts, and those under
way run to their end. Every job, model and package is made through the API with credentials of the pipeline's role.
"""

import json
import queue
import threading
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.emulator.sagemaker import jobs, machine, steps
from rehearsal.emulator.sagemaker.expressions import ExpressionError, Scope, references
from rehearsal.emulator.sagemaker.packages import iso
from rehearsal.emulator.sagemaker.pipelines import s3_text
from rehearsal.emulator.sagemaker.resources import Document, now
from rehearsal.emulator.sagemaker.steps import StepFailedError, StepStoppedError
from rehearsal.emulator.service import AwsError, client, log

Change = Callable[[Document, str, str], None]
ChangeStep = Callable[[Document, Document, Document], None]
WAITING, RUNNING, SUCCEEDED, FAILED, STOPPED, SKIPPED = (
    "Waiting",
    "Executing",
    "Succeeded",
    "Failed",
    "Stopped",
    "Skipped",
)
BRANCHES = ("IfSteps", "ElseSteps")


@dataclass
class Node:
    """A step of the definition: what it waits for, the condition and branch that it is in, its state."""

    step: Document
    needs: set[str]
    parent: str | None
    branch: str
    state: str = WAITING

    @property
    def name(self) -> str:
        return str(self.step["Name"])


def run(execution: Document, change: Change, change_step: ChangeStep) -> None:
    """Run an execution to its end and note how it ended."""
    try:
        Run(execution, change_step).to_the_end()
    except Exception as error:
        log.exception("execution=%s", execution["PipelineExecutionArn"])
        change(execution, FAILED, f"InternalServerError: {error!r}")
        return
    states = {step["StepStatus"] for step in execution["Steps"]}
    if execution["PipelineExecutionStatus"] == "Stopping":
        change(execution, STOPPED, "")
    elif FAILED in states:
        change(execution, FAILED, "Step failure: One or multiple steps failed.")
    else:
        change(execution, SUCCEEDED, "")


def stop(execution: Document) -> None:
    """Ask the jobs of the steps under way to end."""
    for step in execution["Steps"]:
        arns = [str(facts.get("Arn")) for facts in (step.get("Metadata") or {}).values()]
        if step["StepStatus"] == RUNNING:
            jobs.stop_by_arn(arns)


class Run:
    """One execution under way. Only the thread that runs it changes states."""

    def __init__(self, execution: Document, change_step: ChangeStep) -> None:
        self.execution, self._change_step = execution, change_step
        self.nodes = {node.name: node for node in _nodes(json.loads(execution["Definition"])["Steps"], None, "")}
        self.scope = self._scope()
        self._ended: queue.Queue[tuple[Node, Document, str, str]] = queue.Queue()
        limit = (execution.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps")
        self._limit = limit or len(self.nodes)

    def _scope(self) -> Scope:
        role, arn = self.execution["RoleArn"], self.execution["PipelineExecutionArn"]
        files = {
            (node.name, entry["PropertyFileName"]): entry
            for node in self.nodes.values()
            for entry in node.step.get("PropertyFiles") or []
        }
        variables = {
            "PipelineExecutionArn": arn,
            "PipelineExecutionId": arn.rpartition("/")[2],
            "PipelineArn": self.execution["PipelineArn"],
            "PipelineName": self.execution["PipelineArn"].rpartition("/")[2],
            "StartDateTime": iso(self.execution["CreationTime"]),
            "CurrentDateTime": iso(now()),
        }
        s3 = client("s3", role=role, principal=machine.PRINCIPAL)
        return Scope(self.execution["Parameters"], variables, files, lambda uri: s3_text(s3, uri))

    def to_the_end(self) -> None:
        """Start what may start, until nothing runs any more."""
        while True:
            self._skip()
            running = [node for node in self.nodes.values() if node.state == RUNNING]
            for node in self._ready()[: self._limit - len(running)]:
                self._start(node)
            if not any(node.state == RUNNING for node in self.nodes.values()):
                return
            self._settle(*self._ended.get())

    def _ready(self) -> list[Node]:
        halted = any(node.state in (FAILED, STOPPED) for node in self.nodes.values())
        if halted or self.execution["PipelineExecutionStatus"] != "Executing":
            return []
        return [
            node
            for node in self.nodes.values()
            if node.state == WAITING and all(self.nodes[name].state == SUCCEEDED for name in self._waits_for(node))
        ]

    def _waits_for(self, node: Node) -> set[str]:
        return node.needs | ({node.parent} if node.parent else set())

    def _skip(self) -> None:
        """Mark what can no longer run; skipping one step can rule out another."""
        while ruled_out := [node for node in self.nodes.values() if self._ruled_out(node)]:
            for node in ruled_out:
                node.state = SKIPPED

    def _ruled_out(self, node: Node) -> bool:
        if node.state != WAITING:
            return False
        if any(self.nodes[name].state == SKIPPED for name in self._waits_for(node)):
            return True
        parent = self.nodes[node.parent] if node.parent else None
        if parent is None or parent.state != SUCCEEDED:
            return False
        return bool(self.scope.properties[parent.name]["Outcome"]) != (node.branch == BRANCHES[0])

    def _start(self, node: Node) -> None:
        node.state = RUNNING
        record = {"StepName": node.name, "StepType": node.step["Type"], "StartTime": now(), "AttemptCount": 1}
        for key, name in (("StepDisplayName", "DisplayName"), ("StepDescription", "Description")):
            record |= {key: node.step[name]} if node.step.get(name) else {}
        self._change_step(self.execution, record, {"StepStatus": RUNNING})
        context = copy_context()
        threading.Thread(target=lambda: context.run(self._work, node, record), daemon=True, name=node.name).start()

    def _work(self, node: Node, record: Document) -> None:
        def note(facts: Document) -> None:
            self._change_step(self.execution, record, facts)

        status, failure = SUCCEEDED, ""
        try:
            self.scope.properties[node.name] = steps.perform(node.step, self.scope, self.execution, note)
        except StepStoppedError:
            status = STOPPED
        except (StepFailedError, ExpressionError, AwsError, ClientError, BotoCoreError) as error:
            status, failure = FAILED, _reason(error)
        except Exception as error:
            log.exception("step=%s", node.name)
            status, failure = FAILED, f"InternalServerError: {error!r}"
        self._ended.put((node, record, status, failure))

    def _settle(self, node: Node, record: Document, status: str, failure: str) -> None:
        node.state = status
        facts: Document = {"StepStatus": status, "EndTime": now()}
        if failure:
            facts["FailureReason"] = failure[:1024]
        self._change_step(self.execution, record, facts)


def _reason(error: Exception) -> str:
    return f"ClientError: {error}" if isinstance(error, (ClientError, BotoCoreError, AwsError)) else str(error)


def _nodes(definition: list[Document], parent: str | None, branch: str) -> list[Node]:
    found: list[Node] = []
    for step in definition:
        found.append(Node(step, _needs(step), parent, branch))
        if step["Type"] == "Condition":
            for name in BRANCHES:
                found += _nodes(step["Arguments"].get(name) or [], step["Name"], name)
    return found


def _needs(step: Document) -> set[str]:
    own: Any = steps.own_part(step)
    named = {reference.split(".")[1] for reference in references(own) if reference.startswith("Steps.")}
    return named | set(step.get("DependsOn") or [])
