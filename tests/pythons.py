"""The Pythons of this machine that a project takes: what is on PATH, the system's own, and pyenv's."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 11)
_ASK = "import json, sys, venv, ensurepip; print(json.dumps(sys.version_info[:3]))"

Version = tuple[int, ...]


def found() -> dict[Version, Path]:
    """Each release once, oldest first; what cannot make a virtual environment is left out."""
    versions = {version: path for path in _candidates() if (version := _version(path)) >= OLDEST}
    return dict(sorted(versions.items()))


def _candidates() -> Iterator[Path]:
    names = ["python3", "python", *(f"python3.{minor}" for minor in range(OLDEST[1], 20))]
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
    yield from (Path(path) for name in names for folder in folders if (path := shutil.which(name, path=folder)))
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob("versions/*/bin/python3"))


def _version(path: Path) -> Version:
    """Empty if it does not run, or has no venv module."""
    done = subprocess.run([str(path), "-I", "-c", _ASK], capture_output=True, text=True, check=False)
    return tuple(json.loads(done.stdout)) if done.returncode == 0 else ()
