"""Code, configuration and data laid out under their content hash, so that a definition changes only when they do.

It decides *where* objects go and from which file they come; it uploads nothing (aws.py and the kit's local part do).
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sagemaker_project_kit.pipeline import wheels
from sagemaker_project_kit.pipeline.settings import find_source
from sagemaker_project_kit.pipeline.sources import RUNTIME, WHEELS, shipped_files
from sagemaker_project_kit.pipeline.tables import Settings

# The toolkits of AWS's images want these at the root of the archive.
AT_ROOT = ("train.py", "setup.py", "pyproject.toml")
HASH_LENGTH = 16


@dataclass(frozen=True)
class Locations:
    """Where everything that a definition refers to lies in S3."""

    prefix: str
    code: str
    config: str
    data: str

    @classmethod
    def placeholders(cls, settings: Settings) -> "Locations":
        """Stand-ins for the content hashes: a definition is written once and used for every state of code and data."""
        prefix = _prefix(settings)
        return cls(prefix, f"{prefix}/code/@code@", f"{prefix}/config/@config@", f"{prefix}/data/@data@")

    @property
    def package(self) -> str:
        """The code as a folder, for processing jobs."""
        return f"{self.code}/package"

    @property
    def archive(self) -> str:
        """The same code as an archive, for training jobs."""
        return f"{self.code}/sourcedir.tar.gz"

    @property
    def models(self) -> str:
        """Where training jobs leave their model.tar.gz."""
        return f"{self.prefix}/models"

    @property
    def no_champion(self) -> str:
        """Stands for the champion until there is one: a processing input must exist."""
        return f"{self.prefix}/champion/none"

    def run(self, step: str, output: str) -> list[str | None]:
        """The parts of an output's URI; None stands for the execution's id."""
        return [f"{self.prefix}/runs", None, step.lower(), output]

    def resolve(self, text: str, actual: "Locations") -> str:
        """The JSON `text` with these placeholders replaced by the `actual` locations."""
        for mine, theirs in zip(
            (self.code, self.config, self.data), (actual.code, actual.config, actual.data), strict=True
        ):
            text = text.replace(mine, json.dumps(theirs, ensure_ascii=False)[1:-1])
        return text


@dataclass(frozen=True)
class Staged:
    """The objects of a definition: S3 URI → file on this machine."""

    locations: Locations
    assets: dict[str, Path]


def stage(settings: Settings, folder: Path) -> Staged:
    """Write the archive and the configuration of the steps into `folder` and name every object.

    Raises:
        SettingsError: the data file is not there.
        WheelsError: a package that the project declares for its jobs cannot travel.
    """
    prefix = _prefix(settings)
    files = shipped_files(settings.root)
    files |= {f"{WHEELS}/{wheel.name}": wheel for wheel in wheels.collect(settings.root)}
    code = f"{prefix}/code/{content_hash((name, path.read_bytes()) for name, path in files.items())}"
    assets = {f"{code}/package/{name}": path for name, path in files.items()}
    assets[f"{code}/sourcedir.tar.gz"] = _write(folder / "sourcedir.tar.gz", archive(files))
    config = json.dumps(step_config(settings), ensure_ascii=False, indent=2, sort_keys=True).encode()
    config_folder = f"{prefix}/config/{content_hash([('preprocess.json', config)])}"
    assets[f"{config_folder}/preprocess.json"] = _write(folder / "preprocess.json", config)
    data = settings.data.source
    if not settings.data.is_remote:
        source = find_source(settings.root, settings.data.source)
        data = f"{prefix}/data/{file_hash(source)}/{_object_name(source)}"
        assets[data] = source
    locations = Locations(prefix, code, config_folder, data)
    assets[f"{locations.no_champion}/none.txt"] = _write(folder / "none.txt", b"There is no champion yet.\n")
    return Staged(locations, assets)


def step_config(settings: Settings) -> dict[str, object]:
    """What steps/preprocess.py needs to know of project.toml."""
    return settings.data.model_dump(exclude={"source"})


def archive(files: dict[str, Path]) -> bytes:
    """The same files as a .tar.gz with the entry points at its root; the same bytes for the same files."""
    content = io.BytesIO()
    with gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        roots = {name: files[f"{RUNTIME.name}/entry_points/{name}"] for name in AT_ROOT}
        for name, path in sorted({**files, **roots}.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = path.stat().st_size, 0o644
            with path.open("rb") as source:
                tar.addfile(info, source)
    return content.getvalue()


def content_hash(named: Iterable[tuple[str, bytes]]) -> str:
    """A short SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for name, content in named:
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:HASH_LENGTH]


def file_hash(path: Path) -> str:
    """A short SHA-256 of a file of any size."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()[:HASH_LENGTH]


def file_name(source: str) -> str:
    """The last part of a path or URI."""
    return PurePosixPath(source).name


def _object_name(path: Path) -> str:
    """A file's name as the last part of a key, in the characters that every tool takes.

    Source: "Safe characters" in https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html.
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", path.name)


def _prefix(settings: Settings) -> str:
    return f"s3://{settings.environment.artifact_bucket}/{settings.unique_name}"


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
