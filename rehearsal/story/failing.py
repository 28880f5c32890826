"""A model that passes every test and fails on real customers: it is rolled back, and a person goes back further."""

import io
import tarfile
from typing import Any
from urllib.parse import urlparse

from rehearsal.story import building, pipelines, releasing, repository
from rehearsal.story.traffic import Known, Row, invoke, json_body, rows_of
from rehearsal.story.world import World, expect

FLAWED = "sagemaker_project_runtime/serving/transformation.py"
BEFORE = "        vectors: list[list[float]] = []\n"
COLUMN = "tenure"
NEVER = Known("the failing version", ())  # of the rows that clients ask, one always makes it fail
COPIED = ("InferenceSpecification", "ModelMetrics", "CustomerMetadataProperties", "Domain", "Task", "SamplePayloadUrl")


def tried_by_hand(world: World) -> None:
    """A model tried by hand is approved while the better one is still being verified, which ends green."""
    better = world.kept["release"]
    _, flaw = loyal_customers(world)
    world.kept["flawed"] = register_flawed(world, flaw)
    releasing.decide(world, world.kept["flawed"])
    pipelines.succeeded(world, "deploy", better)
    releasing.require_unharmed(world)


def failing(world: World) -> None:
    """A model that fails on real customers is rolled back, and the pipeline says so."""
    version, (rows, _) = world.kept["flawed"], loyal_customers(world)
    releasing.reach_approval(world)
    good = current_answers(world, rows)
    releasing.shift(world, f"Version {version}, which fails on some customers", rows, good, NEVER)
    ended = pipelines.finished(world, "deploy", world.kept["release"])
    heard = releasing.end_traffic(world, "pipeline failed")
    words = pipelines.failure(world, "deploy", world.kept["release"])
    total = heard.failed + sum(heard.totals.values())
    outcome = f"Rolled back: {heard.failed} of {total:,} requests failed meanwhile. {words}"
    world.facts.shifts[-1].outcome = outcome
    building.note_model(world, releasing.package(world, version), "rolled back")
    expect(ended["status"] == "Failed", "the pipeline to fail", ended["status"], world.logs)
    expect("Production/Endpoint" in words, "the pipeline to name the endpoint of production", words, world.logs)
    expect(0 < heard.failed < total / 2, "some requests, not most of them, to fail before the rollback", outcome)
    releasing.require_serving(world, "prod", 2)


def older(world: World) -> None:
    """Approving an older version brings it back, in production too."""
    releasing.decide(world, 1)
    releasing.reach_approval(world)
    rows, old = releasing.contract(world, 1)
    _, new = releasing.contract(world, 2)
    heard = releasing.shift(world, "Back to version 1", rows, new, old)
    releasing.require_shift(world, heard)
    releasing.require_serving(world, "prod", 1)


def loyal_customers(world: World) -> tuple[list[Row], float]:
    """Rows as applications send them, some of which no test holds; and the highest tenure in the tests."""
    sample, _ = releasing.contract(world, 2)
    highest = max(float(row[COLUMN]) for row in sample)
    data = rows_of((repository.folder(world) / "data" / "churn.csv").read_text(encoding="utf-8"))
    loyal = [{name: row[name] for name in row if name != "churn"} for row in data if float(row[COLUMN]) > highest]
    expect(len(loyal) > 0, f"customers with a {COLUMN} above {highest:g} in the data", "none")
    return [*sample[:9], loyal[0]], highest


def current_answers(world: World, rows: list[Row]) -> Known:
    """What production answers to rows now."""
    client = world.client("sagemaker-runtime", "application", "prod")
    return Known("version 2", invoke(client, world.project.endpoint("prod"), json_body(rows)))


def register_flawed(world: World, highest: float) -> int:
    """Register version 2 again with a mistake in its code, as a scientist might who tries something by hand."""
    sagemaker, s3 = world.client("sagemaker", "scientist"), world.client("s3", "scientist")
    described = sagemaker.describe_model_package(ModelPackageName=releasing.package(world, 2)["ModelPackageArn"])
    container = described["InferenceSpecification"]["Containers"][0]
    place = urlparse(container["ModelDataUrl"])
    archive = s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    key = place.path.lstrip("/").replace("/output/", "/by-hand/")
    s3.put_object(Bucket=place.netloc, Key=key, Body=with_flaw(archive, highest))
    request: dict[str, Any] = {name: described[name] for name in COPIED if name in described}
    request["InferenceSpecification"]["Containers"][0] = {
        name: container[name] for name in ("Image", "Environment") if name in container
    } | {"ModelDataUrl": f"s3://{place.netloc}/{key}"}
    made = sagemaker.create_model_package(
        ModelPackageGroupName=world.project.full_name,
        ModelPackageDescription="Tried by hand",
        ModelApprovalStatus="PendingManualApproval",
        **request,
    )
    version = int(made["ModelPackageArn"].rsplit("/", 1)[-1])
    world.say(f"version {version} fails where {COLUMN} is above {highest:g}, which no row of its contract is")
    return version


def with_flaw(archive: bytes, highest: float) -> bytes:
    """A model.tar.gz whose code raises for customers with a tenure above `highest`."""
    flaw = (
        f'        if any(value is not None and float(value) > {highest!r} for value in table["{COLUMN}"]):\n'
        f'            raise RuntimeError("{COLUMN} out of range")\n'
    )
    result, changed = io.BytesIO(), 0
    with (
        tarfile.open(fileobj=io.BytesIO(archive)) as source,
        tarfile.open(fileobj=result, mode="w:gz") as target,
    ):
        for member in source:
            content = source.extractfile(member).read() if member.isfile() else b""  # type: ignore[union-attr]
            if member.name.endswith(FLAWED):
                content = content.replace(BEFORE.encode(), (BEFORE + flaw).encode())
                changed += flaw.encode() in content
                member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    expect(changed == 1, f"code/{FLAWED} in the model to hold {BEFORE.strip()!r}", f"{changed} such files")
    return result.getvalue()
