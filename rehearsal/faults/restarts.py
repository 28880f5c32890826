"""The emulator is killed, as by a power failure, and started again: on AWS, work that a region lost under way."""

from collections.abc import Iterator
from contextlib import contextmanager

from rehearsal.faults import building, edge
from rehearsal.faults.fault import PATIENCE, fault
from rehearsal.faults.refusing import refuses, run
from rehearsal.faults.stacks import require_failed, require_retry_to_release
from rehearsal.story import channels, checkpoint, creating, pipelines, publishing, releasing
from rehearsal.story.world import World, expect


@fault("registered", is_long=True)
def killed_while_training(world: World) -> None:
    """Killed while a build trains: the build begins again by itself, and its model is registered once"""
    with edge.calls(world.emulator, {"operation": "CreateTrainingJob", "hold": "lost"}):
        execution = building.train(world)
        edge.wait_for_held(world, "CreateTrainingJob")
        with killed(world) as again:
            pipelines.succeeded(again, "build", execution, PATIENCE)
            building.require_versions(again, 1, 2)
            again.say("the build began again, and version 2 is registered once")


@fault("second-approved")
def killed_while_deploying(world: World) -> None:
    """Killed while production's endpoint is updated: production serves, the pipeline tells, and a retry works"""
    with edge.calls(world.emulator, {"operation": "DescribeAlarms", "caller": "-endpoint", "hold": "lost"}):
        releasing.allow_production(world)
        edge.wait_for_held(world, "DescribeAlarms")  # while the new instances take their first requests
        world.wait(lambda: _update_is_saved(world), "the emulator to save its state", PATIENCE, world.logs / "log")
        world.emulator.kill()
    with checkpoint.restarted(world) as again:
        words = require_failed(again, again.kept["release"], "Production/Endpoint", "UPDATE_ROLLBACK_FAILED")
        again.wait(lambda: _in_service(again), "production to be in service", PATIENCE, again.logs / "log")
        releasing.require_serving(again, "prod", 1)
        formation = again.client("cloudformation", "engineer", "prod")
        formation.continue_update_rollback(StackName=f"sagemaker-{again.project.full_name}-prod-endpoint")
        again.wait(lambda: _rolled_back(again), "the rollback to be continued", PATIENCE, again.logs / "log")
        require_retry_to_release(again)
        again.say(words)


@fault("published")
def killed_while_creating(world: World) -> None:
    """Killed while a project is made: create and delete say what to do, and it can be made again"""
    with edge.calls(world.emulator, {"operation": "CreatePipeline", "hold": "lost"}):
        _ask_for_project(world)
        edge.wait_for_held(world, "CreatePipeline")
        world.wait(lambda: _is_saved(world), "the emulator to save its state", PATIENCE, world.logs / "log")
        with killed(world) as again:
            refuses(again, "create", again.project.name, says=["There is a project", "CreateFailed", "delete"])
            done = run(again, "delete", again.project.name, "--yes", *publishing.stages(again))
            expect(done.code == 0, "the failed project to be deleted", done.text[-600:], done.log)
            creating.create(again)


def _ask_for_project(world: World) -> None:
    details = {"ProductId": channels.offered_product(world)}
    details["ProvisioningArtifactId"] = channels.offered_versions(world)[0]["Id"]
    world.client("sagemaker", "scientist").create_project(
        ProjectName=world.project.name, ServiceCatalogProvisioningDetails=details
    )


def _is_saved(world: World) -> bool | None:
    """Whether the project with its record, and its stack in the making, are among what a restart reads."""
    (record,) = world.client("servicecatalog").list_record_history()["RecordDetails"]
    stacks = (world.logs / "ministack" / "cloudformation.json").read_text(encoding="utf-8")
    is_making = '"StackStatus": "CREATE_IN_PROGRESS"' in stacks
    return True if is_making and record["RecordId"].encode() in _stored(world, "sagemaker.projects") else None


@contextmanager
def killed(world: World) -> Iterator[World]:
    """The world after its emulator was killed and started again."""
    world.emulator.kill()
    with checkpoint.restarted(world) as again:
        yield again


def _update_is_saved(world: World) -> bool | None:
    """Whether the endpoint and its stack, both on their way, and what they are made of are what a restart reads."""
    stacks = (world.logs / "ministack" / "cloudformation.json").read_text(encoding="utf-8")
    is_saved = all(name.encode() in _stored(world, store) for store, name in _new_parts(world).items())
    return True if is_saved and '"StackStatus": "UPDATE_IN_PROGRESS"' in stacks else None


def _stored(world: World, name: str) -> bytes:
    """What a restart reads of some stores."""
    return b"".join(path.read_bytes() for path in (world.logs / "stores").glob(f"*{name}*"))


def _new_parts(world: World) -> dict[str, str]:
    """By store, what is new in it while production's endpoint is updated."""
    sagemaker = world.client("sagemaker", "engineer", "prod")
    pending = (releasing.endpoint(world, "prod") or {})["PendingDeploymentSummary"]["EndpointConfigName"]
    config = sagemaker.describe_endpoint_config(EndpointConfigName=pending)
    model = config["ProductionVariants"][0]["ModelName"]
    return {"sagemaker.endpoint": "Updating", "sagemaker.configs": pending, "sagemaker.models": model}


def _in_service(world: World) -> bool | None:
    found = releasing.endpoint(world, "prod")
    return True if found and found["EndpointStatus"] == "InService" else None


def _rolled_back(world: World) -> bool | None:
    formation = world.client("cloudformation", "engineer", "prod")
    stack = formation.describe_stacks(StackName=f"sagemaker-{world.project.full_name}-prod-endpoint")["Stacks"][0]
    return True if stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE" else None
