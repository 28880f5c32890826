"""Packages that AWS's image does not carry, taken from the wheels that travel with the code: no index, no network.

What the toolkits of AWS's images would do is not enough. They run `pip install . -r requirements.txt` where the code
archive holds such a file (install() in sagemaker-containers' _modules.py, and its heir sagemaker-training): with an
index, which isolated endpoints and batch transforms do not reach; and processing jobs install nothing at all. So this
does it in every place alike, when the team's code is imported: a wheel is unpacked into a folder of this process, which
is all that installing one without scripts means (PEP 427), and needs neither pip nor the right to write elsewhere.
A package that is there already in the wanted version is left alone; a project without wheels installs nothing.
"""

import functools
import os
import shutil
import sys
import sysconfig
import tempfile
import zipfile
from atexit import register
from importlib import invalidate_caches, metadata
from pathlib import Path

from sagemaker_project_runtime.job import TrainingError

FOLDER = "job_wheels"


@functools.cache
def install(code: Path) -> None:
    """Make importable what the wheels in `code`/job_wheels hold. Raises TrainingError for one of another machine."""
    wanted = [wheel for wheel in sorted((code / FOLDER).glob("*.whl")) if not _is_installed(wheel)]
    if not wanted:
        return
    target = Path(tempfile.mkdtemp(prefix="job-wheels-"))
    register(_remove, target, os.getpid())
    for wheel in wanted:
        _require_fit(wheel)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    # Before the image's packages, of which it may replace one, and behind the code itself.
    places = [target, *target.glob("*.data/purelib"), *target.glob("*.data/platlib")]
    sys.path[1:1] = [str(place) for place in places]
    invalidate_caches()


def _remove(folder: Path, owner: int) -> None:
    """A worker that was forked off goes on needing it when another ends."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _is_installed(wheel: Path) -> bool:
    name, version = wheel.name.split("-")[:2]
    try:
        return metadata.version(name) == version
    except metadata.PackageNotFoundError:
        return False


def _require_fit(wheel: Path) -> None:
    """Whether a wheel's platforms (the last part of its name) include this machine's system and processor."""
    system, machine = sys.platform, sysconfig.get_platform().split("-")[-1]
    family = {"linux": "linux", "darwin": "macosx", "win32": "win"}.get(system, system)
    platforms = wheel.stem.split("-")[-1].split(".")
    if not any(one == "any" or (family in one and one.endswith(machine)) for one in platforms):
        raise TrainingError(
            f"{wheel.name} does not fit this machine ({system}, {machine}), and the package is not installed in that "
            "version: type make install, which takes the wheel for this machine."
        )
