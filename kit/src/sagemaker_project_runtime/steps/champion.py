"""The released model's scores on the new model's test rows: what its endpoint answers, by the code in its archive.

A champion of the same code answers in this process. Another one (an older kit, another model.py, another framework) is
asked in a process of its own (scorer.py), so nothing here knows how it stores or loads anything. Refuses to guess: a
champion that cannot be asked is told with its reason and stops nobody.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.steps import train
from sagemaker_project_runtime.steps.errors import EvaluationError

SCORER = Path(__file__).with_name("scorer.py")


@dataclass(frozen=True)
class Answers:
    """The target that the champion predicts (name, problem_type, classes), and its scores or where it refused."""

    target: dict[str, Any]
    scores: NDArray[np.float64] | None
    refusal: dict[str, Any]


def has_our_code(model: Path) -> bool:
    """Whether the unpacked champion brought, byte for byte, the code that runs here."""
    ours = train.serving_code()
    theirs = {path.relative_to(model / "code").as_posix(): path for path in (model / "code").rglob("*.*")}
    theirs = {name: path for name, path in theirs.items() if path.is_file() and "__pycache__" not in name}
    return ours.keys() == theirs.keys() and all(ours[name].read_bytes() == theirs[name].read_bytes() for name in ours)


def ask(model: Path, bodies: Iterable[bytes]) -> Answers:
    """What the unpacked champion says to these CSV bodies. Raises EvaluationError if it cannot be asked."""
    if not (model / "code" / "inference.py").is_file():
        raise EvaluationError("it holds no code/inference.py: this is not a model that a kit trained.")
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = (Path(folder) / name for name in ("asked", "answered"))
        asked.mkdir()
        answered.mkdir()
        for number, body in enumerate(bodies):
            (asked / f"{number:06}.csv").write_bytes(body)
        command = [sys.executable, str(SCORER), str(model / "code"), str(model), str(asked), str(answered)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode:
            print(done.stderr, file=sys.stderr, flush=True)
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise EvaluationError(f"its own code cannot answer here: {last}")
        scores, refusal = answered / "scores.npy", answered / "refusal.json"
        return Answers(
            target=json.loads((answered / "target.json").read_text(encoding="utf-8")),
            scores=np.load(scores) if scores.is_file() else None,
            refusal=json.loads(refusal.read_text(encoding="utf-8")) if refusal.is_file() else {},
        )
