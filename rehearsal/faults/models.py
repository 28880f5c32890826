"""Versions of the model that faults need: a first one, trained without any check; others without training anything."""

import json
import re
from typing import Any
from urllib.parse import urlparse

from rehearsal.story import failing, pipelines, releasing, repository
from rehearsal.story.traffic import Row, rows_of
from rehearsal.story.world import World, expect

COPIED = ("InferenceSpecification", "ModelMetrics", "CustomerMetadataProperties", "Domain", "Task", "SamplePayloadUrl")
LARGER = "ml.m5.xlarge"
PRODUCTION = "model_deploy/config/prod.json"
BUILDSPEC = "model_build/buildspec.yml"
# The command that checks, and what it needs installed.
CHECKS = re.compile(r"(?m)^ +(?:- make .*\b(?:check|test-build)\b.*|EXTRA_GROUPS: dev)\n")


def train_only(world: World) -> None:
    """A team's build trains and checks nothing: what checks find is no matter of the faults, and takes a minute."""
    seed = pipelines.first(world, "build")["pipelineExecutionId"]
    build = world.wait(lambda: _build(world, seed), "the build of the seed to begin", 120, world.logs / "log")
    world.client("codebuild").stop_build(id=build)
    pipelines.finished(world, "build", seed)
    path = repository.folder(world) / BUILDSPEC
    changed, count = CHECKS.subn("", path.read_text(encoding="utf-8"))
    expect(count == 2 and "- make train" in changed, "a command that checks, and one that trains", changed, path)
    repository.push(world, BUILDSPEC, changed, "Train only")
    execution = pipelines.started(world, "build")["pipelineExecutionId"]
    pipelines.succeeded(world, "build", execution)


def _build(world: World, execution: str) -> str | None:
    """The build of an execution, once it has one."""
    for action in pipelines.actions(world, "build", execution):
        found = str(action.get("output", {}).get("executionResult", {}).get("externalExecutionId", ""))
        if action["input"]["actionTypeId"]["provider"] == "CodeBuild" and found:
            return found
    return None


def described(world: World, version: int) -> dict[str, Any]:
    """A version with all that it was registered with."""
    arn = releasing.package(world, version)["ModelPackageArn"]
    found: dict[str, Any] = world.client("sagemaker", "scientist").describe_model_package(ModelPackageName=arn)
    return found


def register_again(world: World, status: str = "PendingManualApproval", data: str = "") -> int:
    """Register version 1 once more under the next number; `data` is the URI of other model data."""
    found = described(world, 1)
    request: dict[str, Any] = {name: found[name] for name in COPIED if name in found}
    container = request["InferenceSpecification"]["Containers"][0]
    kept = {name: container[name] for name in ("Image", "Environment", "ModelDataUrl") if name in container}
    request["InferenceSpecification"]["Containers"] = [kept | ({"ModelDataUrl": data} if data else {})]
    made = world.client("sagemaker", "scientist").create_model_package(
        ModelPackageGroupName=world.project.full_name,
        ModelPackageDescription="Registered by hand",
        ModelApprovalStatus=status,
        **request,
    )
    return int(made["ModelPackageArn"].rsplit("/", 1)[-1])


def register_flawed(world: World) -> int:
    """Register version 1 once more with a mistake in its code that no row of its contract meets."""
    uri = model_data(world, 1)
    s3 = world.client("s3", "scientist")
    archive = s3.get_object(**place(uri))["Body"].read()
    flawed = uri.replace("/output/", "/by-hand/")
    s3.put_object(**place(flawed), Body=failing.with_flaw(archive, loyal_customers(world)[1]))
    return register_again(world, data=flawed)


def loyal_customers(world: World) -> tuple[list[Row], float]:
    """Rows as applications send them, one with a tenure above all in the contract; and that highest tenure."""
    sample, _ = releasing.contract(world, 1)
    highest = max(float(row[failing.COLUMN]) for row in sample)
    data = rows_of((repository.folder(world) / "data" / "churn.csv").read_text(encoding="utf-8"))
    loyal = [{name: row[name] for name in row if name != "churn"} for row in data]
    loyal = [row for row in loyal if float(row[failing.COLUMN]) > highest]
    expect(len(loyal) > 0, f"customers with a {failing.COLUMN} above {highest:g} in the data", "none")
    return [*sample[:9], loyal[0]], highest


def ask_for_larger_instances(world: World) -> None:
    """Push another instance type for production, and stop the deployment that this starts."""
    document = json.loads((repository.folder(world) / PRODUCTION).read_text(encoding="utf-8"))
    document["Parameters"]["InstanceType"] = LARGER
    repository.push(world, PRODUCTION, json.dumps(document, indent=2), "Larger instances for production")
    execution = pipelines.started(world, "deploy")["pipelineExecutionId"]
    world.client("codepipeline").stop_pipeline_execution(
        pipelineName=world.project.pipeline("deploy"), pipelineExecutionId=execution, abandon=True
    )
    pipelines.finished(world, "deploy", execution)


def model_data(world: World, version: int) -> str:
    """The URI of a version's model.tar.gz."""
    return str(described(world, version)["InferenceSpecification"]["Containers"][0]["ModelDataUrl"])


def place(uri: str) -> dict[str, str]:
    """Bucket and Key of an object's S3 URI."""
    parts = urlparse(uri)
    return {"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}
