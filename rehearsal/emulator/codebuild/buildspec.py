"""Reads a buildspec, version 0.2, into one frozen object.

Format: "Build specification reference for CodeBuild", https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
It refuses what is no buildspec, with CodeBuild's own code for it, YAML_FILE_ERROR, and what this emulator would have to
skip in silence (batch builds, a proxy, retries of a phase).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

PHASES = ("install", "pre_build", "build", "post_build")
_KEYS = {"version", "run-as", "env", "phases", "reports", "artifacts", "cache"}
_ENV_KEYS = {"shell", "variables", "parameter-store", "secrets-manager", "exported-variables", "git-credential-helper"}
_PHASE_KEYS = {"run-as", "on-failure", "runtime-versions", "commands", "finally"}
_ARTIFACT_KEYS = {"files", "name", "discard-paths", "base-directory", "exclude-paths", "secondary-artifacts"}
_REPORT_KEYS = {"files", "base-directory", "discard-paths", "file-format"}


class BuildspecError(Exception):
    """The text is no buildspec that can be run; the message says where and why."""


@dataclass(frozen=True)
class Phase:
    """The commands of one phase. `on_failure` is empty (the usual transitions), ABORT or CONTINUE."""

    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    on_failure: str = ""
    runtimes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Artifact:
    """Files to keep: glob patterns below `base_directory`."""

    files: tuple[str, ...]
    base_directory: str = "."
    exclude: tuple[str, ...] = ()
    discard_paths: bool = False
    name: str = ""


@dataclass(frozen=True)
class Report:
    """Files of test results for one report group."""

    files: tuple[str, ...]
    base_directory: str = "."
    file_format: str = "JUNITXML"
    discard_paths: bool = False


@dataclass(frozen=True)
class Buildspec:
    """A whole buildspec."""

    shell: str = "sh"
    variables: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()
    phases: Mapping[str, Phase] = field(default_factory=dict)
    artifact: Artifact | None = None
    secondary: Mapping[str, Artifact] = field(default_factory=dict)
    reports: Mapping[str, Report] = field(default_factory=dict)
    cache: tuple[str, ...] = ()

    @property
    def runtimes(self) -> Mapping[str, str]:
        """What `runtime-versions` of the install phase asks for."""
        return self.phases["install"].runtimes if "install" in self.phases else {}


def parse(text: str) -> Buildspec:
    """The buildspec in `text`. Raises BuildspecError."""
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BuildspecError(f"YAML_FILE_ERROR: the buildspec is no YAML: {error}") from None
    table = _table(content, "buildspec", _KEYS)
    if str(table.get("version")) != "0.2":
        raise BuildspecError(f"YAML_FILE_ERROR: version must be 0.2, found {table.get('version')!r}")
    if not isinstance(table.get("phases"), dict) or not table["phases"]:
        raise BuildspecError("YAML_FILE_ERROR: phases: at least one phase with commands is needed")
    env = _table(table.get("env") or {}, "env", _ENV_KEYS)
    artifacts = _table(table.get("artifacts") or {}, "artifacts", _ARTIFACT_KEYS)
    return Buildspec(
        shell=str(env.get("shell") or "sh"),
        variables=_texts(env.get("variables"), "env/variables"),
        parameters=_texts(env.get("parameter-store"), "env/parameter-store"),
        secrets=_texts(env.get("secrets-manager"), "env/secrets-manager"),
        exported=_list(env.get("exported-variables"), "env/exported-variables"),
        phases=dict(_phases(table["phases"])),
        artifact=_artifact(artifacts, "artifacts") if artifacts.get("files") else None,
        secondary=dict(_secondary(artifacts)),
        reports=dict(_reports(table.get("reports") or {})),
        cache=_list((table.get("cache") or {}).get("paths"), "cache/paths"),
    )


def _table(value: Any, where: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BuildspecError(f"YAML_FILE_ERROR: {where}: must be a mapping, found {value!r}")
    if unknown := sorted(set(map(str, value)) - known):
        raise BuildspecError(f"YAML_FILE_ERROR: {where}: unknown or not emulated here: {', '.join(unknown)}")
    return value


def _texts(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or any(isinstance(item, dict | list) for item in value.values()):
        raise BuildspecError(f"YAML_FILE_ERROR: {where}: must map names to texts")
    return {str(name): _text(item) for name, item in value.items()}


def _text(value: Any) -> str:
    """YAML's booleans as they were most likely written."""
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _list(value: Any, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str | int | float) for item in value):
        raise BuildspecError(f"YAML_FILE_ERROR: {where}: must be a list of texts; quote what contains a colon")
    return tuple(str(item) for item in value)


def _phases(value: Mapping[str, Any]) -> Iterator[tuple[str, Phase]]:
    if unknown := sorted(set(map(str, value)) - set(PHASES)):
        raise BuildspecError(f"YAML_FILE_ERROR: phases: unknown: {', '.join(unknown)}")
    for name in PHASES:
        if name in value:
            yield name, _phase(_table(value[name] or {}, f"phases/{name}", _PHASE_KEYS), f"phases/{name}")


def _phase(table: Mapping[str, Any], where: str) -> Phase:
    on_failure = str(table.get("on-failure") or "")
    if on_failure not in ("", "ABORT", "CONTINUE"):
        raise BuildspecError(f"{where}/on-failure: {on_failure} is not emulated; ABORT and CONTINUE are")
    return Phase(
        commands=_list(table.get("commands"), f"{where}/commands"),
        finally_commands=_list(table.get("finally"), f"{where}/finally"),
        on_failure=on_failure,
        runtimes=_texts(table.get("runtime-versions"), f"{where}/runtime-versions"),
    )


def _artifact(table: Mapping[str, Any], where: str) -> Artifact:
    return Artifact(
        files=_list(table.get("files"), f"{where}/files"),
        base_directory=str(table.get("base-directory") or "."),
        exclude=_list(table.get("exclude-paths"), f"{where}/exclude-paths"),
        discard_paths=_yes(table.get("discard-paths")),
        name=str(table.get("name") or ""),
    )


def _yes(value: Any) -> bool:
    """CodeBuild documents yes and no, which YAML reads as booleans unless they are quoted."""
    return value is True or str(value).lower() in ("yes", "true")


def _secondary(artifacts: Mapping[str, Any]) -> Iterator[tuple[str, Artifact]]:
    for name, value in (artifacts.get("secondary-artifacts") or {}).items():
        where = f"artifacts/secondary-artifacts/{name}"
        yield str(name), _artifact(_table(value, where, _ARTIFACT_KEYS - {"secondary-artifacts"}), where)


def _reports(value: Any) -> Iterator[tuple[str, Report]]:
    for name, entry in value.items():
        table = _table(entry, f"reports/{name}", _REPORT_KEYS)
        yield (
            str(name),
            Report(
                files=_list(table.get("files"), f"reports/{name}/files"),
                base_directory=str(table.get("base-directory") or "."),
                file_format=str(table.get("file-format") or "JUNITXML"),
                discard_paths=_yes(table.get("discard-paths")),
            ),
        )
