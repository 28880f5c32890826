"""Where a build's files come from and where its artifacts go, with the credentials of the service role.

CODEPIPELINE: archives in the pipeline's bucket. S3: an archive. CODECOMMIT: a clone over HTTP. NO_SOURCE: nothing.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal.emulator.codebuild import artifacts
from rehearsal.emulator.codebuild.builds import Build
from rehearsal.emulator.codebuild.buildspec import Artifact, Buildspec
from rehearsal.emulator.codecommit.git import environment
from rehearsal.emulator.service import address


class SourceError(Exception):
    """There is no source to build."""


def download(build: Build, folder: Path, s3: Any, access_key: str) -> dict[str, Path]:
    """Fill `folder` with the primary source; returns the folders of the secondary ones by name."""
    folder.mkdir(parents=True)
    if build.handover:
        return _of_pipeline(build, folder, s3)
    source = build.project["source"]
    if source["type"] == "S3":
        artifacts.unpack(_get(s3, source["location"]), folder)
    elif source["type"] == "CODECOMMIT":
        _clone(build, source["location"], folder, access_key)
    elif source["type"] != "NO_SOURCE":
        raise SourceError(f"a source of type {source['type']} is not part of the rehearsal, started by hand")
    return {}


def _of_pipeline(build: Build, folder: Path, s3: Any) -> dict[str, Path]:
    assert build.handover  # noqa: S101 - asked by the caller
    (_, primary), *others = build.handover.inputs.items()
    artifacts.unpack(_get(s3, primary), folder)
    secondary = {}
    for name, location in others:
        secondary[name] = folder.with_name(f"src-{name}")
        artifacts.unpack(_get(s3, location), secondary[name])
    return secondary


def _get(s3: Any, location: str) -> bytes:
    bucket, _, key = location.removeprefix("arn:aws:s3:::").partition("/")
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def _clone(build: Build, location: str, folder: Path, access_key: str) -> None:
    name = location.rstrip("/").rpartition("/")[2]
    url = f"{address().replace('://', f'://{access_key}:x@')}/v1/repos/{name}"
    _git("clone", "--quiet", url, str(folder))
    if build.source_version:
        _git("-C", str(folder), "checkout", "--quiet", build.source_version)
    build.resolved = _git("-C", str(folder), "rev-parse", "HEAD").strip()


def _git(*arguments: str) -> str:
    result = subprocess.run(["git", *arguments], env=environment(), capture_output=True, text=True, check=False)
    if result.returncode:
        raise SourceError(result.stderr.strip())
    return result.stdout


def upload(build: Build, spec: Buildspec, source: Path, s3: Any) -> None:
    """Store the artifacts. Raises NothingFoundError, and SourceError if the buildspec lacks what is wanted."""
    if build.handover:
        _to_pipeline(build, spec, source, s3)
        return
    target = build.project.get("artifacts") or {"type": "NO_ARTIFACTS"}
    if target["type"] == "S3":
        _to_bucket(build, _wanted(spec.artifact, "artifacts"), source, target, s3)


def _to_pipeline(build: Build, spec: Buildspec, source: Path, s3: Any) -> None:
    """One output is the buildspec's artifact; of several, each is the secondary artifact of its name."""
    assert build.handover  # noqa: S101 - asked by the caller
    outputs = build.handover.outputs
    for name, location in outputs.items():
        chosen = spec.artifact if len(outputs) == 1 and not spec.secondary else spec.secondary.get(name)
        _put(s3, location, artifacts.pack(source, _wanted(chosen, name)), build.handover.kms_key)
        build.artifacts = {"location": f"arn:aws:s3:::{location}"}


def _wanted(artifact: Artifact | None, name: str) -> Artifact:
    if artifact is None:
        raise SourceError(f"no definition for the artifact {name} in the buildspec")
    return artifact


def _to_bucket(build: Build, artifact: Artifact, source: Path, target: Mapping[str, Any], s3: Any) -> None:
    namespace = build.unique if target.get("namespaceType") == "BUILD_ID" else ""
    parts = [str(target.get("path") or "").strip("/"), namespace, str(target.get("name") or build.name)]
    key = "/".join(filter(None, parts))
    key_arn = build.project.get("encryptionKey") or ""
    if target.get("packaging") == "ZIP":
        _put(s3, f"{target['location']}/{key}", artifacts.pack(source, artifact), key_arn)
    else:
        base = (source / artifact.base_directory).resolve()
        for path in artifacts.find(source, artifact.base_directory, artifact.files, artifact.exclude):
            name = path.name if artifact.discard_paths else str(path.relative_to(base))
            _put(s3, f"{target['location']}/{key}/{name}", path.read_bytes(), key_arn)
    build.artifacts = {"location": f"arn:aws:s3:::{target['location']}/{key}"}


def _put(s3: Any, location: str, content: bytes, kms_key: str) -> None:
    bucket, _, key = location.partition("/")
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    s3.put_object(Bucket=bucket, Key=key, Body=content, **encryption)
