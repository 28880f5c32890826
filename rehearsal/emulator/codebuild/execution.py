"""Runs a build from SUBMITTED to COMPLETED, on a thread of its own.

Everything that the build does with AWS is done with the credentials of the project's service role. What the build may
not do fails the phase that tried, with CodeBuild's status code and the denial's own words.
"""

import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from rehearsal.emulator import seams
from rehearsal.emulator.clients import assume
from rehearsal.emulator.codebuild import caches, junit, machine, phases, reports, sources, variables
from rehearsal.emulator.codebuild.artifacts import NothingFoundError
from rehearsal.emulator.codebuild.builds import Build, announce, builds, failure
from rehearsal.emulator.codebuild.buildspec import Buildspec, BuildspecError, parse
from rehearsal.emulator.codebuild.logs import Shipper
from rehearsal.emulator.codebuild.phases import FAILED, IN_PROGRESS, SUCCEEDED
from rehearsal.emulator.codebuild.shell import Shell, StoppedError, TimedOutError
from rehearsal.emulator.service import AwsError, address, client, log, on_restore, spawn, state_folder

Result = TypeVar("Result")
PRINCIPAL = "codebuild.amazonaws.com"
# More at a time than this make all of them slower on the machines that the rehearsal is for.
_AT_A_TIME = threading.BoundedSemaphore(4)
_EXPECTED = (BuildspecError, sources.SourceError, NothingFoundError, junit.ReportError, variables.VariableError)
_shells: dict[str, Shell] = {}
_stopped: set[str] = set()


class StepFailedError(Exception):
    """A phase of CodeBuild's own failed: its status code and the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def run(build: Build) -> None:
    """Run it to the end, whatever happens."""
    build.begin("SUBMITTED").end(SUCCEEDED)
    announce(build)
    queued = build.begin("QUEUED")
    with _AT_A_TIME:
        queued.end(SUCCEEDED)
        status = _guarded(build)
    build.begin("FINALIZING").end(SUCCEEDED)
    _shells.pop(build.id, None)
    log.info("build=%s status=%s reason=%r", build.id, status, failure(build))
    build.finish(status)
    _remove(build.folder, _temporary(build))


def _remove(*folders: Path) -> None:
    """An environment has twenty thousand files, of which rm makes shorter work than Python does."""
    subprocess.run(["rm", "-rf", *map(str, folders)], check=False)


def _temporary(build: Build) -> Path:
    """Not below the build's folder: the path of a socket may have no more than about a hundred letters."""
    return state_folder("tmp") / build.unique[:6]


@on_restore
def _resume() -> None:
    """Run again, from the start, what was under way when the emulator ended."""
    for account, region, _, build in builds.everywhere():
        if not build.done:
            build.phases.clear()
            _remove(build.folder)
            with seams.scope(account, region):
                spawn(run, build)


def stop(build: Build) -> None:
    """End a build that is under way."""
    _stopped.add(build.id)
    if build.id in _shells:
        _shells[build.id].stop()


def _guarded(build: Build) -> str:
    """The build's status. A phase that was left in progress gets the reason."""
    try:
        _Run(build).run()
        return FAILED if any(record.status == FAILED for record in build.phases) else SUCCEEDED
    except StepFailedError as error:
        return _end(build, FAILED, error.code, str(error))
    except StoppedError:
        return _end(build, "STOPPED", "", "Build was stopped")
    except TimedOutError:
        return _end(build, "TIMED_OUT", "BUILD_TIMED_OUT", "Build has timed out.")
    except Exception as error:
        log.exception("build=%s", build.id)
        return _end(build, "FAULT", "INTERNAL_SERVICE_ERROR", repr(error))


def _end(build: Build, status: str, code: str, message: str) -> str:
    record = build.phases[-1]
    if record.status == IN_PROGRESS:
        record.end(status, code, message)
    return status


class _Run:
    """One run: the folders and clients that the phases share."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._place = variables.Place(
            build.folder / "src",
            build.folder / "home",
            _temporary(build),
            state_folder("codebuild") / "runtimes",
            state_folder("codebuild") / "downloads",
        )

    def run(self) -> None:
        """Everything between QUEUED and FINALIZING."""
        build = self._build
        shipper = self._step("PROVISIONING", self._provision)
        try:
            spec, shell = self._step("DOWNLOAD_SOURCE", self._download)
            uploads = phases.run(spec, shell, build.begin)
            build.exported = {name: value for name, value in shell.variables().items() if name in spec.exported}
            if uploads:
                self._step("UPLOAD_ARTIFACTS", lambda: self._upload(spec, shell))
        finally:
            shipper.close()

    def _step(self, name: str, action: Callable[[], Result]) -> Result:
        """One of CodeBuild's own phases. Raises StepFailedError, StoppedError."""
        if self._build.id in _stopped:
            raise StoppedError
        record = self._build.begin(name)
        try:
            result = action()
        except (ClientError, AwsError) as error:
            raise StepFailedError("ACCESS_DENIED" if _is_denial(error) else "CLIENT_ERROR", str(error)) from error
        except _EXPECTED as error:
            raise StepFailedError(_code(error), str(error)) from error
        record.end(SUCCEEDED)
        return result

    def _client(self, service: str) -> Any:
        return client(
            service, role=self._build.project["serviceRole"], principal=PRINCIPAL, source=self._build.project["arn"]
        )

    def _provision(self) -> Shipper:
        self._build.log.parent.mkdir(parents=True, exist_ok=True)
        self._build.log.touch()
        key = assume(self._build.project["serviceRole"], PRINCIPAL, self._build.project["arn"])[0]
        here = address().replace("://", f"://{key}:x@")
        git = machine.git_addresses(self._build.arn.split(":")[3], here)
        machine.prepare_home(self._place.home, self._place.downloads, git)
        self._place.temporary.mkdir(parents=True, exist_ok=True)
        return Shipper(self._build.log, self._client("logs"), self._build.log_group, self._build.log_stream)

    def _download(self) -> tuple[Buildspec, Shell]:
        build = self._build
        key = assume(build.project["serviceRole"], PRINCIPAL, build.project["arn"])[0]
        self._secondary = sources.download(build, self._place.source, self._client("s3"), key)
        spec = parse(_buildspec_text(build, self._place.source))
        return spec, self._shell(spec)

    def _shell(self, spec: Buildspec) -> Shell:
        build = self._build
        credentials = assume(build.project["serviceRole"], PRINCIPAL, build.project["arn"])
        environment = variables.collect(build, spec, self._place, credentials, self._client)
        environment |= {f"CODEBUILD_SRC_DIR_{name}": str(path) for name, path in self._secondary.items()}
        shell = Shell(spec.shell, build.folder / "shell", self._place.source, environment, build.log)
        shell.limit(60 * float(build.project.get("timeoutInMinutes") or 60))
        _shells[build.id] = shell
        if build.id in _stopped:  # while there was no shell yet that could have been told
            shell.stop()
        _introduce(shell, spec)
        self._link_caches(spec, shell)
        return shell

    def _link_caches(self, spec: Buildspec, shell: Shell) -> None:
        kept, cache = caches.folder(self._build.project["arn"]), self._build.project.get("cache") or {}
        for line in caches.link(cache, spec.cache, self._place.source, self._place.home, kept):
            shell.say(line)

    def _upload(self, spec: Buildspec, shell: Shell) -> None:
        for name, wanted in spec.reports.items():
            shell.say(reports.collect(self._build, name, wanted, self._place.source, self._client("codebuild")))
        if not any(record.status == FAILED for record in self._build.phases) or not self._build.handover:
            sources.upload(self._build, spec, self._place.source, self._client("s3"))


def _introduce(shell: Shell, spec: Buildspec) -> None:
    """Say what differs from CodeBuild's image."""
    for name, version in spec.runtimes.items():
        if name == "python":
            found = machine.nearest_python(version)
            stands_in = "" if str(found) == version else ", which stands in for it on this machine"
            shell.say(f"Runtime python {version}: Python {found}{stands_in}")
        else:
            shell.say(f"Runtime {name} {version}: whatever this machine has of it")


def _buildspec_text(build: Build, source: Path) -> str:
    """The buildspec of the project, written there in full, or a file of the source."""
    given = str(build.project["source"].get("buildspec") or "buildspec.yml")
    if "\n" in given or given.lstrip().startswith("version"):
        return given
    try:
        return (source / given).read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise BuildspecError(f"YAML_FILE_ERROR: stat {given}: no such file or directory") from None


def _is_denial(error: ClientError | AwsError) -> bool:
    code = error.code if isinstance(error, AwsError) else error.response["Error"]["Code"]
    return code.startswith("AccessDenied") or code == "403"


def _code(error: Exception) -> str:
    return "YAML_FILE_ERROR" if isinstance(error, BuildspecError) else "CLIENT_ERROR"
