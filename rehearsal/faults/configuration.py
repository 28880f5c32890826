"""A stage's configuration that cannot be: said by Release, before anything of a stage is touched."""

import json

from rehearsal.faults.deploying import require_refused
from rehearsal.faults.fault import fault
from rehearsal.faults.production import require_untouched, sight
from rehearsal.story import pipelines, releasing, repository
from rehearsal.story.world import World


@fault("in-production", series="configuration")
def configuration_that_cannot_be(world: World) -> None:
    """An unknown instance type, minimum above maximum and a sample of 150 % are told at once; the stages serve on"""
    values = {"InstanceType": "ml.m5.hugexlarge", "MinInstanceCount": "9", "CapturePercent": "150"}
    _require_refused(world, values, *values)


@fault("in-production", series="configuration")
def canary_of_one_instance(world: World) -> None:
    """A canary of a single instance, and waits longer than the whole deployment, are refused; the stages serve on"""
    values = {"MinInstanceCount": "1", "ShiftTimeoutSeconds": "1200"}
    _require_refused(world, values, *values)


@fault("in-production", series="configuration")
def key_that_nobody_knows(world: World) -> None:
    """A misspelt key is refused with the nearest that exists; the stages serve on"""
    _require_refused(world, {"InstancType": "ml.m5.large"}, "InstancType", "did you mean 'InstanceType'")


def _require_refused(world: World, values: dict[str, str], *says: str) -> None:
    """Push values of production: Release says what is wrong with them, and the stages stay as they are."""
    before = {stage: sight(world, stage) for stage in releasing.STAGES}
    path = "model_deploy/config/prod.json"
    document = json.loads(repository.git(world, "show", f"{_seed(world)}:{path}"))
    document["Parameters"] |= values
    repository.push(world, path, json.dumps(document, indent=2), "Try other values")
    execution = pipelines.started(world, "deploy")["pipelineExecutionId"]
    require_refused(world, execution, "config/prod.json", *says)
    for stage, seen in before.items():
        require_untouched(world, stage, seen)


def _seed(world: World) -> str:
    """The first commit."""
    return repository.git(world, "rev-list", "--max-parents=0", "HEAD").strip()
