"""The environment of a build: this machine's clean one, what CodeBuild sets, and what people give.

Of buildspec, project and StartBuild, a value of StartBuild wins over the project's, and that over the buildspec's
("Environment variables in build environments", CodeBuild user guide). Values from Parameter Store and Secrets Manager
are read with the service role.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator.codebuild import machine
from rehearsal.emulator.codebuild.builds import Build
from rehearsal.emulator.codebuild.buildspec import Buildspec
from rehearsal.emulator.service import address

GetClient = Callable[[str], Any]


class VariableError(Exception):
    """A parameter or secret cannot be read."""


@dataclass(frozen=True)
class Place:
    """The folders of a build."""

    source: Path
    home: Path
    temporary: Path
    runtimes: Path
    downloads: Path


def collect(
    build: Build, spec: Buildspec, place: Place, credentials: tuple[str, str, str], get: GetClient
) -> dict[str, str]:
    """Everything that the first command finds in its environment. Raises VariableError."""
    own = build.project["environment"].get("environmentVariables") or []
    given = {**spec.variables, **_stored(spec, get), **dict(_resolve(own, get))}
    return {
        **_machine(spec, place),
        **_codebuild(build, place),
        **machine.at_home(given, place.home),
        **_aws(build, credentials),
    }


def _machine(spec: Buildspec, place: Place) -> dict[str, str]:
    python = machine.nearest_python(spec.runtimes.get("python", "3"))
    own = [machine.link_python(python, place.runtimes), machine.link_aws(place.runtimes)]
    folders = [*map(str, own), *machine.tool_folders()]
    return {**machine.network(), "PATH": os.pathsep.join(folders), "LANG": "C.UTF-8", **_own(place)}


def _own(place: Place) -> dict[str, str]:
    return {"HOME": str(place.home), "TMPDIR": str(place.temporary)}


def _codebuild(build: Build, place: Place) -> dict[str, str]:
    return {
        "CI": "true",
        "CODEBUILD_CI": "true",
        "CODEBUILD_BUILD_ARN": build.arn,
        "CODEBUILD_BUILD_ID": build.id,
        "CODEBUILD_BUILD_IMAGE": str(build.project["environment"]["image"]),
        "CODEBUILD_BUILD_NUMBER": str(build.number),
        "CODEBUILD_INITIATOR": build.initiator,
        "CODEBUILD_KMS_KEY_ID": str(build.project.get("encryptionKey") or ""),
        "CODEBUILD_LOG_PATH": build.log_stream,
        "CODEBUILD_RESOLVED_SOURCE_VERSION": build.resolved,
        "CODEBUILD_SOURCE_VERSION": build.source_version,
        "CODEBUILD_SRC_DIR": str(place.source),
        "CODEBUILD_START_TIME": str(int(build.begun * 1000)),
    }


def _aws(build: Build, credentials: tuple[str, str, str]) -> dict[str, str]:
    region = build.arn.split(":")[3]
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return {
        **dict(zip(names, credentials, strict=True)),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": address(),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _stored(spec: Buildspec, get: GetClient) -> dict[str, str]:
    entries = [{"name": name, "value": value, "type": "PARAMETER_STORE"} for name, value in spec.parameters.items()]
    entries += [{"name": name, "value": value, "type": "SECRETS_MANAGER"} for name, value in spec.secrets.items()]
    return dict(_resolve(entries, get))


def _resolve(entries: Iterable[Mapping[str, str]], get: GetClient) -> Iterable[tuple[str, str]]:
    readers = {"PLAINTEXT": lambda value, _: value, "PARAMETER_STORE": _parameter, "SECRETS_MANAGER": _secret}
    for entry in entries:
        try:
            yield entry["name"], readers[entry.get("type") or "PLAINTEXT"](entry["value"], get)
        except (ClientError, KeyError, ValueError) as error:
            raise VariableError(f"the variable {entry['name']} cannot be read from {entry['value']}: {error}") from None


def _parameter(name: str, get: GetClient) -> str:
    return str(get("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])


def _secret(reference: str, get: GetClient) -> str:
    """secret-id:json-key:version-stage:version-id; the id may be an ARN, which has six colons of its own."""
    head, rest = reference, ""
    if reference.startswith("arn:"):
        parts = reference.split(":")
        head, rest = ":".join(parts[:7]), ":".join(parts[7:])
    else:
        head, _, rest = reference.partition(":")
    key, stage, version = [*rest.split(":"), "", "", ""][:3]
    chosen = {"VersionStage": stage} if stage else {"VersionId": version} if version else {}
    text = str(get("secretsmanager").get_secret_value(SecretId=head, **chosen)["SecretString"])
    return str(json.loads(text)[key]) if key else text
