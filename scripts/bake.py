"""Bakes a project with the real Cookiecutter, from a copy of what git would take.

Cookiecutter copies whatever lies in the template folder, also what git ignores (__pycache__, .venv, the leftovers of a
run), so a bake from the working tree starts with a clean copy. Refuses to write into a folder that exists.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent


def tracked_files(root: Path) -> list[Path]:
    """Every file below root that is committed or could be, relative to it; what git ignores is not among them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return sorted(Path(name) for name in listed.split("\0") if name and (root / name).is_file())


def clean_copy(destination: Path, root: Path = ROOT) -> Path:
    """Copy those files into the new folder `destination` and return it."""
    for name in tracked_files(root):
        (destination / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, destination / name)
    return destination


def bake(output: Path, **answers: str) -> Path:
    """Bake the working tree into a new folder below `output` and return that folder."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        template = clean_copy(Path(folder) / "template")
        return Path(cookiecutter(str(template), no_input=True, extra_context=answers, output_dir=str(output)))


def bake_afresh(output: Path, **answers: str) -> Path:
    """Like bake, into an emptied `output`."""
    shutil.rmtree(output, ignore_errors=True)
    return bake(output, **answers)


if __name__ == "__main__":
    print(bake_afresh(Path(sys.argv[1])))
