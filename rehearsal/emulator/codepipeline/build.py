"""The action CodeBuild, for building and for testing."""

import json
from typing import Any

from rehearsal.emulator.codebuild.builds import Handover, builds, handovers
from rehearsal.emulator.codepipeline.executions import Artifact
from rehearsal.emulator.codepipeline.work import ActionFailedError, Work
from rehearsal.emulator.service import region

_POLL_SECONDS = 0.1


def run(work: Work) -> None:
    """Start a build and wait for it; after a restart of the emulator, wait for the one that was started."""
    codebuild = work.client("codebuild")
    if not work.run.external_id:
        _start(work, codebuild)
    found: dict[str, Any] = {}

    def complete() -> bool:
        if found and not builds[work.run.external_id].done:
            return False  # to be told so by the API ten times a second is work that nobody sees
        found.update(codebuild.batch_get_builds(ids=[work.run.external_id])["builds"][0])
        return bool(found["buildComplete"])

    work.wait(complete, _POLL_SECONDS)
    _take(work, found)


def _start(work: Work, codebuild: Any) -> None:
    project = work.setting("ProjectName")
    outputs = [work.allocate(name) for name in work.run.action.outputs]
    inputs = _ordered(work)
    pipeline = work.execution.pipeline
    handovers[work.run.id] = Handover(
        pipeline=pipeline.name,
        revision=inputs[0].revision,
        inputs={artifact.name: f"{artifact.bucket}/{artifact.key}" for artifact in inputs},
        outputs={artifact.name: f"{artifact.bucket}/{artifact.key}" for artifact in outputs},
        kms_key=pipeline.kms_key,
    )
    try:
        build = codebuild.start_build(
            projectName=project, environmentVariablesOverride=_variables(work), idempotencyToken=work.run.id
        )["build"]
    finally:
        handovers.pop(work.run.id, None)
    work.run.external_id = build["id"]
    home = f"https://{region()}.console.aws.amazon.com/codesuite/codebuild/{build['arn'].split(':')[4]}"
    work.run.external_url = f"{home}/projects/{project}/build/{build['id']}/?region={region()}"
    work.run.outputs = outputs


def _ordered(work: Work) -> list[Artifact]:
    """The input artifacts, the primary one first. Raises ActionFailedError if it is not said which that is."""
    if not work.run.inputs:
        raise ActionFailedError("ConfigurationError", "A CodeBuild action needs an input artifact")
    if len(work.run.inputs) == 1:
        return work.run.inputs
    primary = work.artifact(work.setting("PrimarySource"))
    return [primary, *(artifact for artifact in work.run.inputs if artifact is not primary)]


def _variables(work: Work) -> list[dict[str, str]]:
    text = work.configuration.get("EnvironmentVariables") or "[]"
    try:
        entries = json.loads(text)
        return [{"type": "PLAINTEXT", **{key: str(value) for key, value in entry.items()}} for entry in entries]
    except (ValueError, AttributeError):
        raise ActionFailedError("ConfigurationError", f"EnvironmentVariables is no list of variables: {text}") from None


def _take(work: Work, build: dict[str, Any]) -> None:
    """The build's result as the action's. Raises ActionFailedError if it did not succeed."""
    exported = build.get("exportedEnvironmentVariables") or []
    work.run.variables = {entry["name"]: entry["value"] for entry in exported}
    for artifact in work.run.outputs:
        artifact.revision = build.get("resolvedSourceVersion") or ""
    if build["buildStatus"] != "SUCCEEDED":
        work.run.outputs = []
        raise ActionFailedError("JobFailed", f"Build terminated with state: {build['buildStatus']}. {_reason(build)}")


def _reason(build: dict[str, Any]) -> str:
    contexts = [(phase["phaseType"], entry) for phase in build["phases"] for entry in phase.get("contexts", [])]
    return next(
        (f"Phase: {name}, Code: {entry['statusCode']}, Message: {entry['message']}" for name, entry in contexts), ""
    )
