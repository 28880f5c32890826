"""What a person is told once the story is over and everything still runs: lines that can be pasted as they are.

They are as many as there is something to try. Nothing here changes anything but two files in the rehearsal's folder.
"""

import json
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from rehearsal.host import PYTHON
from rehearsal.story import programs, repository
from rehearsal.story.errors import StoryError
from rehearsal.story.world import World


def wait_for_person(world: World, console: Console, failure: StoryError | None = None) -> None:
    """Print what failed, if anything did, and where everything is; wait for Ctrl-C or the emulator's end.

    Waiting does not use the processor.
    """
    if failure:
        console.print(Text(f"\n{failure}", "red"), soft_wrap=True)
    if world.emulator.process.poll() is not None:
        console.print(Text("The emulator has ended: there is nothing left to look at.", "red"))
        return
    head = "The story failed. What it made is still running" if failure else "Still running"
    console.print(Text(f"\n{head}, until Ctrl-C:", "bold"))
    for name, line in words(world):
        console.print(Text.assemble((f"{name:<10}", "dim"), line), soft_wrap=True)
    with suppress(KeyboardInterrupt):
        world.emulator.process.wait()
        console.print(Text("The emulator has ended.", "red"))


def words(world: World) -> Iterator[tuple[str, str]]:
    """What it is about, and an address or a command."""
    yield "report", _short(world.folder / "report.html")
    yield "look", f"{world.emulator.address}/_look/"
    ours = f". {_quoted(_settings(world))} &&"  # in each line: without it, a line would reach somebody's real account
    yield "AWS CLI", f"{ours} aws codepipeline list-pipelines"
    for purpose, account in list(world.options.accounts.items())[1:]:
        yield "", f"{ours} aws --profile {purpose} sagemaker list-endpoints   # account {account}"
    if world.project.id:
        with suppress(ClientError, BotoCoreError):
            yield "git", f"git clone {repository.address(world)} {_quoted(_short(world.folder / 'my-clone'))}"
    yield from _endpoints(world)
    yield "log", _short(world.logs / "log")


def _settings(world: World) -> Path:
    """A file for the shell with the AWS settings of the engineer, and the AWS CLI that the emulator came with."""
    path = world.folder / "aws.sh"
    given = programs.environment(world, "engineer")
    lines = [f"export {name}={shlex.quote(value)}" for name, value in given.items() if name.startswith("AWS_")]
    # It keeps credentials of roles in the home folder, where those of another rehearsal would be found again.
    call = f'HOME={shlex.quote(given["HOME"])} {shlex.quote(str(PYTHON.with_name("aws")))} "$@"'
    lines += ["export AWS_PAGER=", f"aws() {{ {call}; }}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _endpoints(world: World) -> Iterator[tuple[str, str]]:
    """A request of each endpoint that serves, with a row that the model knows from its evaluation."""
    region = world.options.region
    for account in sorted(set(world.options.accounts.values())):
        for endpoint in world.emulator.client("sagemaker", account, region).list_endpoints()["Endpoints"]:
            if request := _request(world):
                url = f"{world.emulator.address}/endpoints/{endpoint['EndpointName']}/invocations"
                yield (
                    "endpoint",
                    f"curl -s --aws-sigv4 aws:amz:{region}:sagemaker --user {account}:x "
                    f"-H Content-Type:application/json --data @{_quoted(request)} {url}",
                )


def _request(world: World) -> Path | None:
    """A file with a request: the first row of the newest model's contract."""
    with suppress(ClientError, BotoCoreError, KeyError, IndexError):
        path = world.folder / "request.json"
        path.write_text(json.dumps({"instances": [_row(world)]}), encoding="utf-8")
        return path
    return None


def _row(world: World) -> Any:
    account, region = world.options.accounts["tooling"], world.options.region
    sagemaker = world.emulator.client("sagemaker", account, region)
    listed = sagemaker.list_model_packages(ModelPackageGroupName=world.project.full_name)["ModelPackageSummaryList"]
    described = sagemaker.describe_model_package(ModelPackageName=listed[0]["ModelPackageArn"])
    place = urlparse(f"{described['CustomerMetadataProperties']['contract_uri']}/sample.jsonl")
    s3 = world.emulator.client("s3", account, region)
    return json.loads(s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read().splitlines()[0])


def _quoted(path: Path | str) -> str:
    return shlex.quote(path if isinstance(path, str) else _short(path))


def _short(path: Path) -> str:
    """Relative to where the person is, if it is below; with a ./ that `.` of the shell needs."""
    here = Path.cwd()
    return f"./{path.relative_to(here)}" if path.is_relative_to(here) else str(path)
