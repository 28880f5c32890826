"""Processing, training, tuning and transform jobs: what each kind is called, its API and its events.

How a job is run is in containers.py. A job keeps every field of its request; Describe… answers with them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rehearsal.emulator.sagemaker import containers, sagemaker
from rehearsal.emulator.sagemaker.resources import (
    Document,
    arn,
    in_use,
    invalid,
    not_found,
    now,
    page,
    picked,
    selected,
)
from rehearsal.emulator.sagemaker.validation import model, require_valid
from rehearsal.emulator.service import Store, emit, on_restore, spawn

ENDED = ("Completed", "Failed", "Stopped")
_HIDDEN = ("Tags", "Metrics")


@dataclass(frozen=True)
class Kind:
    """A kind of job: `step` in definitions, `noun` in operations, `resource` in ARNs, `title` in events."""

    step: str
    noun: str
    resource: str
    title: str
    started: str
    ended: str

    @property
    def name(self) -> str:
        return f"{self.noun}Name"

    @property
    def arn(self) -> str:
        return f"{self.noun}Arn"

    @property
    def status(self) -> str:
        return f"{self.noun}Status"


PROCESSING = Kind(
    "Processing", "ProcessingJob", "processing-job", "Processing Job", "ProcessingStartTime", "ProcessingEndTime"
)
TRAINING = Kind("Training", "TrainingJob", "training-job", "Training Job", "TrainingStartTime", "TrainingEndTime")
TRANSFORM = Kind(
    "Transform", "TransformJob", "transform-job", "Transform Job", "TransformStartTime", "TransformEndTime"
)
TUNING = Kind(
    "Tuning",
    "HyperParameterTuningJob",
    "hyper-parameter-tuning-job",
    "HyperParameter Tuning Job",
    "LastModifiedTime",
    "HyperParameterTuningEndTime",
)
KINDS = (PROCESSING, TRAINING, TRANSFORM, TUNING)
BY_STEP = {kind.step: kind for kind in KINDS}

jobs: Store[Document] = Store("jobs")


def find(kind: Kind, name: str) -> Document:
    """A job. Raises ResourceNotFound or, for transform and older kinds, what SageMaker answers instead."""
    job = jobs.get(f"{kind.resource}/{name}")
    if job is None:
        raise (
            not_found(f"Could not find {kind.title.lower()} with name {name}.")
            if kind is PROCESSING
            else invalid(f"Requested resource not found: {arn(kind.resource, name)}")
        )
    return job


def create(kind: Kind, request: Document) -> Document:
    """Keep a job and start it."""
    name = request[kind.name]
    place = f"{kind.resource}/{name}"
    job = {**request, kind.arn: arn(kind.resource, name), kind.status: "InProgress", "CreationTime": now()}
    job |= {"LastModifiedTime": job["CreationTime"], **_fixed(kind)}
    if jobs.setdefault(place, job) is not job:
        raise in_use(
            "Job name must be unique within an AWS account and region, and a job with this name already exists "
            f"({job[kind.arn]})"
        )
    if request.get("Tags"):
        sagemaker.call("AddTags", {"ResourceArn": job[kind.arn], "Tags": request["Tags"]})
    _announce(kind, job)
    spawn(_run, kind, job)
    return {kind.arn: job[kind.arn]}


def _fixed(kind: Kind) -> Document:
    """Required members of Describe… that nothing here changes."""
    if kind is TRAINING:
        return {"SecondaryStatus": "Starting", "ModelArtifacts": {"S3ModelArtifacts": ""}}
    if kind is TUNING:
        none = {"Completed": 0, "InProgress": 0, "RetryableError": 0, "NonRetryableError": 0, "Stopped": 0}
        counters = {"Succeeded": 0, "Pending": 0, "Failed": 0}
        return {"TrainingJobStatusCounters": none, "ObjectiveStatusCounters": counters}
    return {}


def _run(kind: Kind, job: Document) -> None:
    change(kind, job, {kind.started: now()})
    outcome = containers.run(kind.step, job[kind.name], job)
    end(kind, job, outcome)


def end(kind: Kind, job: Document, outcome: containers.Outcome) -> None:
    """Take over how a job ended."""
    facts: Document = {kind.ended: now(), kind.status: outcome.status, **outcome.facts}
    if outcome.failure:
        facts["FailureReason"] = outcome.failure[:1024]
    if kind is TRAINING:
        facts["SecondaryStatus"] = outcome.status
        facts["BillableTimeInSeconds"] = facts["TrainingTimeInSeconds"] = max(
            1, int(facts[kind.ended] - job[kind.started])
        )
    change(kind, job, facts)
    _announce(kind, job)


def change(kind: Kind, job: Document, facts: Document) -> None:
    """Note facts about a job that is still there."""
    job |= facts | {"LastModifiedTime": now()}


def stop(kind: Kind, request: Document) -> None:
    """Ask a job to end."""
    job = find(kind, request[kind.name])
    if job[kind.status] in ENDED:
        raise invalid(f"The request was rejected because the {kind.title.lower()} is in status {job[kind.status]}.")
    change(kind, job, {kind.status: "Stopping"})
    containers.stop(f"{kind.step}/{job[kind.name]}")


def stop_by_arn(arns: list[str]) -> None:
    """Ask those jobs to end that are still under way."""
    for kind in KINDS:
        for job in [job for job in jobs.values() if job.get(kind.arn) in arns]:
            if job[kind.status] not in ENDED:
                stop(kind, {kind.name: job[kind.name]})


def describe(kind: Kind, request: Document) -> Document:
    """A job as it is now."""
    job = find(kind, request[kind.name])
    members = model().operation_model(f"Describe{kind.noun}").output_shape.members
    return {key: value for key, value in job.items() if key in members and key not in _HIDDEN}


def listed(kind: Kind, request: Document) -> Document:
    """Summaries, newest first unless asked otherwise."""
    own = [job for name, job in jobs.items() if name.startswith(f"{kind.resource}/")]
    status = request.get("StatusEquals")
    fitting = [job for job in own if status in (None, job[kind.status])]
    found = selected(fitting, request, name=kind.name, descending=True)
    shape = model().operation_model(f"List{kind.noun}s").output_shape
    (key,) = [name for name in shape.members if name != "NextToken"]
    members = shape.members[key].member.members
    return page(key, [picked(job, members) for job in found], request)


def _announce(kind: Kind, job: Document) -> None:
    """Shape: the job events of "Events that Amazon SageMaker AI sends to EventBridge"; times in milliseconds."""
    detail: Document = {key: value for key, value in job.items() if key not in (*_HIDDEN, "LastModifiedTime")}
    for key in [key for key in detail if key.endswith("Time")]:
        detail[key] = int(detail[key] * 1000)
    tags = {tag["Key"]: tag["Value"] for tag in job.get("Tags") or []}
    emit("aws.sagemaker", f"SageMaker {kind.title} State Change", {**detail, "Tags": tags}, [job[kind.arn]])


@on_restore
def fail_interrupted() -> None:
    """What ran when the emulator ended did not end well."""
    for _, _, place, job in jobs.everywhere():
        kind = next(kind for kind in KINDS if place.startswith(f"{kind.resource}/"))
        if job[kind.status] not in ENDED:
            lost = {
                kind.status: "Failed",
                kind.ended: now(),
                "FailureReason": "InternalServerError: the machine was lost.",
            }
            job |= {kind.started: job.get(kind.started, now()), **lost}


def _register(kind: Kind, verb: str, function: Callable[[Kind, Document], Any]) -> None:
    """Answer `verb` + the kind's noun, with requests that fit the model only."""
    name = f"{verb}{kind.noun}" + ("s" if verb == "List" else "")

    def answer(request: Document) -> Document | None:
        require_valid(name, request)
        found: Document | None = function(kind, request)
        return found

    sagemaker.operations[name] = answer


for _kind in KINDS:
    for _verb, _function in {"Create": create, "Stop": stop, "Describe": describe, "List": listed}.items():
        _register(_kind, _verb, _function)
