"""Files that a build keeps: glob patterns of a buildspec as a zip archive, or as the files themselves.

Patterns: "artifacts/files" in the buildspec reference: a file, a folder with `/*` (its files) or `/**/*` (all below),
`**/*` for everything. An artifact without a single file fails the build, as on CodeBuild.
"""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rehearsal.emulator.codebuild.buildspec import Artifact

# Zip archives know no time before 1980; one time for all makes equal files equal archives.
_TIME = (1980, 1, 1, 0, 0, 0)


class NothingFoundError(Exception):
    """No file fits the patterns."""


def find(source: Path, base_directory: str, patterns: Sequence[str], exclude: Sequence[str] = ()) -> list[Path]:
    """The files below `source`/`base_directory` that fit, in order; symbolic links to files count as files."""
    base = (source / base_directory).resolve()
    found = {path for pattern in patterns for path in _fitting(base, pattern) if path.is_file()}
    left_out = {path for pattern in exclude for path in _fitting(base, pattern)}
    return sorted(found - left_out)


def _fitting(base: Path, pattern: str) -> Iterator[Path]:
    """Absolute patterns are allowed; a folder's name alone means nothing without `/*`."""
    place, relative = (Path("/"), pattern.lstrip("/")) if pattern.startswith("/") else (base, pattern)
    relative = relative.removeprefix("./")
    yield from place.glob(relative) if relative else ()


def pack(source: Path, artifact: Artifact) -> bytes:
    """The artifact as a zip archive. Raises NothingFoundError."""
    files = find(source, artifact.base_directory, artifact.files, artifact.exclude)
    if not files:
        raise NothingFoundError(f"no matching artifact paths found for {', '.join(artifact.files)}")
    base = (source / artifact.base_directory).resolve()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            _add(archive, path, path.name if artifact.discard_paths else _name(path, base))
    return target.getvalue()


def _name(path: Path, base: Path) -> str:
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path).lstrip("/")


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    """With the file's permissions, so that a script stays executable."""
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr = (path.stat().st_mode & 0o7777) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, path.read_bytes())


def unpack(data: bytes, folder: Path) -> None:
    """Extract a source archive into `folder`; nothing in it can reach outside."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist():
            extracted = Path(archive.extract(entry, folder))
            mode = entry.external_attr >> 16 & 0o777
            if mode and extracted.is_file():
                extracted.chmod(mode | 0o600)
