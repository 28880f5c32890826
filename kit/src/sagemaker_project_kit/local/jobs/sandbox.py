"""One job's /opt/ml, as a folder. Paths in arguments and environment are rewritten to it.

A script that carries a literal /opt/ml path inside cannot be helped: steps take every folder by argument or SM_*.
"""

import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import StepFailed

_ML = re.compile(r"/opt/ml(?![A-Za-z0-9_.-])")
_PYTHON = re.compile(r"(?:/usr/(?:local/)?bin/)?python(?:3(?:\.\d+)?)?")
# The caller's own PYTHONPATH would let a step import what its container does not have.
_WITHHELD = ("PYTHONPATH", "PYTHONHOME")


class Sandbox:
    """A folder `root` that holds opt/ml."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ml = root / "opt" / "ml"
        self.ml.mkdir(parents=True)

    def path(self, container_path: str) -> Path:
        """Where /opt/ml/… is on this machine. Raises StepFailed for a path outside /opt/ml."""
        if not _ML.match(container_path) or ".." in Path(container_path).parts:
            raise StepFailed(f"the local path {container_path!r} is not below /opt/ml")
        return self.root / container_path.lstrip("/")

    def rewrite(self, value: Any) -> str:
        """`value` as text, with /opt/ml replaced by this sandbox's."""
        return _ML.sub(lambda _: str(self.ml), value if isinstance(value, str) else json.dumps(value))

    def argv(self, parts: Iterable[Any]) -> list[str]:
        """A command line of the container as one of this machine: its Python is the one that runs now."""
        program, *arguments = [self.rewrite(part) for part in parts]
        return [sys.executable if _PYTHON.fullmatch(program) else program, *arguments]

    def environment(self, variables: Mapping[str, Any]) -> dict[str, str]:
        """This machine's environment with `variables` of the container on top."""
        return inherited_environment() | {key: self.rewrite(value) for key, value in variables.items()}

    def write_json(self, container_path: str, value: Any) -> None:
        """Write a configuration file of the container contract."""
        path = self.path(container_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")


def inherited_environment() -> dict[str, str]:
    """What a program gets of this process's environment: `python3` is ours, its output is not held back."""
    base = {key: value for key, value in os.environ.items() if key not in _WITHHELD}
    path = os.pathsep.join(filter(None, [str(Path(sys.executable).parent), base.get("PATH")]))
    # On a busy machine, threads that wait by spinning take a small training job from one second to twenty.
    waiting = {"OMP_WAIT_POLICY": base.get("OMP_WAIT_POLICY", "PASSIVE")}
    return base | waiting | {"PATH": path, "PYTHONUNBUFFERED": "1"}
