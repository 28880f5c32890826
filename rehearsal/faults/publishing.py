"""publish that is killed, that runs twice at once, or that AWS asks to slow down."""

import os
import signal
import subprocess
import sys
import threading

from rehearsal.faults import edge
from rehearsal.faults.fault import fault
from rehearsal.faults.refusing import run
from rehearsal.story import channels, programs, publishing
from rehearsal.story.world import World, expect


@fault("published")
def publish_killed_before_the_version(world: World) -> None:
    """publish is killed between the upload and the version: the next run ends the work, and makes one version"""
    change_product(world)
    with edge.calls(world.emulator, {"operation": "CreateProvisioningArtifact", "hold": "lost"}):
        _killed_while(world, "CreateProvisioningArtifact")
        expect(len(versions(world)) == 1, "no new version yet", versions(world))
    done = run(world, *_publish(world))
    expect(done.code == 0, "the next run to succeed", done.text[-600:], done.log)
    require_two_versions(world)


@fault("accounts")
def publish_killed_in_a_new_account(world: World) -> None:
    """publish is killed in a new account, before the product is made: the next run ends the work"""
    publishing.take_repository(publishing.repository(world))
    with edge.calls(world.emulator, {"operation": "CreateProduct", "hold": "lost"}):
        _killed_while(world, "CreateProduct")
    done = run(world, *_publish(world))
    expect(done.code == 0, "the next run to succeed", done.text[-600:], done.log)
    expect(len(versions(world)) == 1, "one version of one product", versions(world))
    publishing.publish_again(world)


@fault("published")
def two_publishes_at_once(world: World) -> None:
    """Two engineers publish the same at the same time: both succeed, and there is one new version"""
    change_product(world)
    outputs: list[programs.Output] = []
    runs = [threading.Thread(target=lambda: outputs.append(run(world, *_publish(world)))) for _ in range(2)]
    for each in runs:
        each.start()
    for each in runs:
        each.join()
    codes = [done.code for done in outputs]
    expect(codes == [0, 0], "both to succeed", [done.text[-400:] for done in outputs if done.code] or codes)
    require_two_versions(world)


@fault("published")
def publish_throttled(world: World) -> None:
    """AWS asks publish to slow down, twice in each call of the version: it does, and succeeds"""
    change_product(world)
    operations = ("CreateProvisioningArtifact", "UpdateProvisioningArtifact", "DescribeProductAsAdmin", "UpdateProduct")
    with edge.calls(world.emulator, *(edge.throttled(operation, 2) for operation in operations)):
        done = run(world, *_publish(world))
        met = edge.met(world.emulator)
    expect(done.code == 0 and met >= 2, "publish to succeed after being asked to slow down", done.text[-600:], done.log)
    require_two_versions(world)


def change_product(world: World) -> None:
    """Another product than the one that is published, committed."""
    folder = publishing.repository(world)
    part = folder / "service_catalog" / "templates" / "product" / "alerts.yaml"
    part.write_text(part.read_text(encoding="utf-8") + "# another\n", encoding="utf-8")
    publishing.commit(folder, "Another product")


def versions(world: World) -> list[str]:
    """The names of all versions of all products."""
    catalog = world.client("servicecatalog")
    ids = [each["ProductViewSummary"]["ProductId"] for each in catalog.search_products_as_admin()["ProductViewDetails"]]
    found = [catalog.list_provisioning_artifacts(ProductId=id_)["ProvisioningArtifactDetails"] for id_ in ids]
    return [each["Name"] for listed in found for each in listed]


def require_two_versions(world: World) -> None:
    """One product, the version that was there and one more, which Studio offers; a project can be made from it."""
    found = versions(world)
    expect(len(found) == len(set(found)) == 2, "two versions of one product", found)
    offered = channels.offered_versions(world)
    expect({each["Name"] for each in offered} == set(found), "both to be offered", offered)
    world.say(f"versions {' and '.join(sorted(found))}")


def _publish(world: World) -> list[str]:
    return ["publish", *publishing.arguments(world)]


def _killed_while(world: World, operation: str) -> None:
    """Run publish until it makes a call that is held, and kill it then."""
    command = [sys.executable, "-m", "service_catalog", *_publish(world)]
    environment = programs.environment(world, "engineer")
    with subprocess.Popen(
        command,
        cwd=publishing.repository(world),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            edge.wait_for_held(world, operation)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    world.say(f"killed while it called {operation}")
