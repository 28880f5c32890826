"""What a build finds again of the one before it: the folders that cache/paths of the buildspec name.

"Local caching", CodeBuild user guide: in the custom mode, folders are symbolic links to folders on the build host, and
only folders are. Here every build of a project meets the same host, as on AWS at best. S3 caches are not played. AWS
links before it fetches the sources, ours after, as the buildspec comes with them: what the source has stays.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rehearsal.emulator.codebuild.machine import CONTAINER_HOME
from rehearsal.emulator.service import state_folder

_ALL_INSIDE = re.compile(r"(/\*\*)?(/\*)?/?$")


def folder(project_arn: str) -> Path:
    """Where the folders of one project are kept, for all its builds."""
    return state_folder("codebuild") / "cache" / re.sub(r"[:/]", "-", project_arn)


def link(cache: Mapping[str, Any], paths: Sequence[str], source: Path, home: Path, kept: Path) -> Iterator[str]:
    """Link what the project keeps between builds below `kept` into the build; says what it leaves out, and why."""
    if cache.get("type") == "S3":
        yield "the cache in S3 is not played here"
    if "LOCAL_CUSTOM_CACHE" not in (cache.get("modes") or []):
        return
    for path in paths:
        name = _ALL_INSIDE.sub("", path)
        place = _place(name, source, home)
        if place is None or "*" in name:
            yield f"{path} is not cached here: a folder of the source or of {CONTAINER_HOME} is expected"
        elif not place.exists():
            _link(place, kept / re.sub(r"[^\w.-]+", "-", name).strip("-"))


def _place(name: str, source: Path, home: Path) -> Path | None:
    """Where the folder is in this build; None for a place of the container that this machine has no copy of."""
    if name.startswith(f"{CONTAINER_HOME}/"):
        return home / name.removeprefix(f"{CONTAINER_HOME}/")
    inside = not name.startswith("/") and ".." not in Path(name).parts and name
    return source / name if inside else None


def _link(place: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target, target_is_directory=True)
