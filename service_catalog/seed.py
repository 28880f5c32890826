"""The seed: the project as a zip that becomes the first commit of a repository, the same bytes on every machine.

It is baked once, before anyone has chosen a name: what belongs to one project comes from the environment at run time
(model_build/settings.py reads SAGEMAKER_PROJECT_NAME and AWS_REGION). Publishing refuses changes that no commit holds,
so that every published version can be made again.
"""

import hashlib
import io
import os
import stat
import subprocess
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.bake import ROOT, bake, tracked_files
from service_catalog.errors import SourceError

# Nobody has answered yet whose a project will be: "unassigned" is what the product's form says, too.
ANSWERS = {"project_name": "A model on Amazon SageMaker", "project_slug": "sagemaker-project", "owner": "unassigned"}
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip can name
_UNIX = 3
_MARKS_OF_A_PROJECT = ("project.toml", "Makefile", "model_build", "model_deploy")


@dataclass(frozen=True)
class Seed:
    """A zip and where it came from."""

    content: bytes
    files: int
    origin: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def from_template() -> Seed:
    """Bake the template of this repository with neutral answers."""
    with tempfile.TemporaryDirectory() as folder:
        project = bake(Path(folder), **ANSWERS)
        names = sorted(path.relative_to(project) for path in project.rglob("*") if path.is_file())
        return Seed(pack(project, names), len(names), "the template")


def from_folder(folder: Path) -> Seed:
    """A project that was baked and perhaps changed: every file that its .gitignore does not leave out.

    Raises:
        SourceError: the folder is not such a project.
    """
    missing = [name for name in _MARKS_OF_A_PROJECT if not (folder / name).exists()]
    if missing:
        raise SourceError(f"{folder} is not a project of this template: it has no {', '.join(missing)}.")
    names = files_of(folder)
    return Seed(pack(folder, names), len(names), str(folder))


def files_of(folder: Path) -> list[Path]:
    """What a first commit of this folder would hold, whether or not it is a git repository."""
    if (folder / ".git").exists():
        return tracked_files(folder)
    with tempfile.TemporaryDirectory() as git:
        make = ["git", "init", "--quiet", "--bare", git]
        subprocess.run(make, check=True, capture_output=True)
        place = ["git", "--git-dir", git, "--work-tree", str(folder.resolve()), "-c", f"core.excludesFile={os.devnull}"]
        command = [*place, "-c", "core.bare=false", "ls-files", "-z", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout
    return sorted(Path(name) for name in listed.split("\0") if name and (folder / name).is_file())


def pack(folder: Path, names: Iterable[Path]) -> bytes:
    """These files as a zip: sorted, of one time and two modes, and stored: zlib's output differs between its builds."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(names, key=Path.as_posix):
            archive.writestr(_entry(folder / name, name), (folder / name).read_bytes())
    return content.getvalue()


def _entry(path: Path, name: Path) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name.as_posix(), _LONG_AGO)
    entry.create_system = _UNIX
    mode = 0o755 if os.access(path, os.X_OK) and os.name == "posix" else 0o644
    entry.external_attr = (stat.S_IFREG | mode) << 16
    return entry


def uncommitted(root: Path = ROOT) -> list[str]:
    """Changes of the repository that no commit holds. Raises SourceError if it is no git repository."""
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise SourceError(
            f"{root} is not a git repository, so nobody could tell what was published: clone it with git."
        )
    return [line[3:] for line in done.stdout.splitlines()]


def repository_version(root: Path = ROOT) -> str:
    """The version in pyproject.toml."""
    return str(tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
