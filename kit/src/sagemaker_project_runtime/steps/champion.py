"""The released model's scores on the new model's test rows: what its endpoint answers, by the code in its archive.

It may be of any version of the kit, so nothing here knows how it stores or loads anything (scorer.py asks it, in a
process of its own). Refuses to guess: a champion that cannot be asked is told with its reason and stops nobody.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.steps.errors import EvaluationError

SCORER = Path(__file__).with_name("scorer.py")


@dataclass(frozen=True)
class Answers:
    """The target that the champion predicts (name, problem_type, classes), and its scores or where it refused."""

    target: dict[str, Any]
    scores: NDArray[np.float64] | None
    refusal: dict[str, Any]


def ask(archive: Path, bodies: Iterable[bytes]) -> Answers:
    """What the model in `archive` says to these CSV bodies. Raises EvaluationError if it cannot be asked."""
    with tempfile.TemporaryDirectory() as folder:
        model, asked, answered = (Path(folder) / name for name in ("model", "asked", "answered"))
        _unpack(archive, model)
        asked.mkdir()
        answered.mkdir()
        for number, body in enumerate(bodies):
            (asked / f"{number:06}.csv").write_bytes(body)
        command = [sys.executable, str(SCORER), str(model / "code"), str(model), str(asked), str(answered)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise EvaluationError(f"the code in its {archive.name} cannot answer here: {last}")
        scores, refusal = answered / "scores.npy", answered / "refusal.json"
        return Answers(
            target=json.loads((answered / "target.json").read_text(encoding="utf-8")),
            scores=np.load(scores) if scores.is_file() else None,
            refusal=json.loads(refusal.read_text(encoding="utf-8")) if refusal.is_file() else {},
        )


def _unpack(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise EvaluationError(f"{archive.name} cannot be unpacked: {error}.") from error
    if not (folder / "code" / "inference.py").is_file():
        raise EvaluationError(f"{archive.name} holds no code/inference.py: this is not a model that a kit trained.")
