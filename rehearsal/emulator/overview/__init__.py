"""A page for people who look rather than ask: what is in every account right now, at /_look/ of the emulator.

It shows projects, pipelines, builds with what they are at and their logs, models and endpoints, and changes nothing. It
is made when somebody asks for it; only what runs in such a moment makes the page ask again.
"""

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from rehearsal.emulator import seams
from rehearsal.emulator.codebuild.builds import Build, builds
from rehearsal.emulator.codepipeline.operations import codepipeline
from rehearsal.emulator.codepipeline.operations import pipelines as declared
from rehearsal.emulator.githttp import Answer, RefusedError, Request, application
from rehearsal.emulator.sagemaker.endpointstate import endpoints
from rehearsal.emulator.sagemaker.packages import packages
from rehearsal.emulator.sagemaker.projects import projects
from rehearsal.emulator.service import mount

PREFIX = "/_look"
MOST_BUILDS = 12
LAST_BYTES, LAST_LETTERS = 4096, 160
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
BUSY = ("InProgress", "IN_PROGRESS", "Creating", "Updating", "RollingBack", "CreateInProgress", "DeleteInProgress")
GOOD = ("Succeeded", "SUCCEEDED", "InService", "CreateCompleted", "UpdateCompleted")
Document = dict[str, Any]
_page = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
).get_template("page.html.jinja")


@dataclass
class Place:
    """What is in an account and region."""

    account: str
    region: str
    projects: list[tuple[str, str]] = field(default_factory=list)
    pipelines: list[Document] = field(default_factory=list)
    builds: list[Build] = field(default_factory=list)
    models: list[Document] = field(default_factory=list)
    endpoints: list[Document] = field(default_factory=list)

    @property
    def statuses(self) -> Iterator[str]:
        """Those of everything."""
        yield from (status for _, status in self.projects)
        yield from (build.status for build in self.builds)
        yield from (endpoint["EndpointStatus"] for endpoint in self.endpoints)
        yield from (status for pipeline in self.pipelines for _, status in stages(pipeline))


def places() -> list[Place]:
    """Every account and region with something to see, in order."""
    found: dict[tuple[str, str], Place] = {}

    def at(account: str, region: str) -> Place:
        return found.setdefault((account, region), Place(account, region))

    for account, region, name, project in projects.everywhere():
        at(account, region).projects.append((name, project.status))
    for account, region, name, _ in declared.everywhere():
        with seams.scope(account, region):
            at(account, region).pipelines.append(codepipeline.call("GetPipelineState", {"name": name}))
    for account, region, _, build in builds.everywhere():
        at(account, region).builds.append(build)
    for account, region, _, package in packages.everywhere():
        at(account, region).models.append(package)
    for account, region, _, endpoint in endpoints.everywhere():
        at(account, region).endpoints.append(endpoint)
    for place in found.values():
        place.builds = sorted(place.builds, key=lambda build: (-build.begun, -build.number))[:MOST_BUILDS]
    return [found[key] for key in sorted(found)]


def stages(pipeline: Document) -> list[tuple[str, str]]:
    """The stages of a pipeline and how the last execution left each; empty for one that nothing has reached."""
    shown = pipeline.get("stageStates") or []
    return [(stage["stageName"], stage.get("latestExecution", {}).get("status", "")) for stage in shown]


def phase(build: Build) -> str:
    """The phase that a build is in, in small letters; empty once it has ended."""
    name = build.phases[-1].name if build.phases else "SUBMITTED"
    return "" if build.done else name.replace("_", " ").lower()


def last_line(build: Build) -> str:
    """The last line that a build that runs has printed, as far as there is room for it."""
    if build.done:
        return ""
    try:
        with build.log.open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - LAST_BYTES, 0))
            text = _COLOUR.sub("", log.read().decode("utf-8", "replace"))
    except FileNotFoundError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:LAST_LETTERS] if lines else ""


def kind(status: str) -> str:
    """What a status means: good, bad, busy, or none of them."""
    if status in BUSY:
        return "busy"
    return "good" if status in GOOD else "bad" if "fail" in status.lower() else "idle"


def _answer(request: Request) -> Answer:
    rest = request.path.removeprefix(PREFIX).strip("/")
    if not rest:
        return _text(_render(), "text/html; charset=utf-8")
    what, _, unique = rest.partition("/")
    found = [build for _, _, _, build in builds.everywhere() if what == "build" and build.unique == unique]
    try:
        log = found[0].log.read_text(encoding="utf-8", errors="replace")
    except (IndexError, FileNotFoundError):
        raise RefusedError(404, f"There is no {rest} here; {PREFIX}/ shows what there is.") from None
    return _text(log, "text/plain; charset=utf-8")


def _render() -> str:
    seen = places()
    is_busy = any(status in BUSY for place in seen for status in place.statuses)
    return _page.render(
        places=seen,
        is_busy=is_busy,
        prefix=PREFIX,
        stages=stages,
        phase=phase,
        last_line=last_line,
        kind=kind,
        took=lambda build: f"{(build.ended or time.time()) - build.begun:.0f} s",
        moment=time.strftime("%H:%M:%S"),
    )


def _text(text: str, media: str) -> Answer:
    return Answer(200, [("content-type", media), ("cache-control", "no-store")], text.encode())


mount(PREFIX, application(_answer))
