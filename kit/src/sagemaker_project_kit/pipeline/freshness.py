"""Whether build/definition.json still is what synthesis would write, judged as make does: by times and sizes.

It spares an unchanged run the settings, the hash of the data and the SDK. When in doubt the answer is "no".
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagemaker_project_kit import variables
from sagemaker_project_kit.pipeline.sources import RUNTIME, TEAM, source_files

KIT = Path(__file__).parent
STAMP = "fresh.json"
WRITTEN = ("definition.json", "assets.json")


def is_fresh(root: Path, build: Path, request: Mapping[str, str], environ: Mapping[str, str]) -> bool:
    """Whether nothing that synthesis reads has changed since `remember`, and what it wrote is there."""
    try:
        stamp = json.loads((build / STAMP).read_text(encoding="utf-8"))
        source = Path(stamp["source"]) if stamp["source"] else None
        return bool(stamp == _state(root, build, request, environ, source))
    except (OSError, ValueError, KeyError):
        return False


def remember(
    root: Path, build: Path, request: Mapping[str, str], environ: Mapping[str, str], source: Path | None
) -> None:
    """Note what build/definition.json was written from; `source` is the data file, if it is on this machine."""
    (build / STAMP).write_text(json.dumps(_state(root, build, request, environ, source)), encoding="utf-8")


def _state(
    root: Path, build: Path, request: Mapping[str, str], environ: Mapping[str, str], source: Path | None
) -> dict[str, Any]:
    sources = [path for folder in (KIT, RUNTIME, root / TEAM) for path in source_files(folder)]
    written = [build / name for name in WRITTEN]
    settings = [root / name for name in ("project.toml", "pyproject.toml", "requirements.lock")]
    files = [*filter(Path.exists, settings), *sources, *written, *([source] if source else [])]
    return {
        "request": dict(request),
        "environ": {name: environ[name] for name in sorted(environ) if name in variables.BUILD},
        "source": str(source) if source else "",
        "files": {str(path): _look(path) for path in sorted(files)},
    }


def _look(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_mtime_ns, status.st_size]
