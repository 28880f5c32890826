"""The champion's scores for the test rows, by the code that it was registered with.

A champion of the same code answers in this process. Another one (an older kit, another model.py, another framework)
answers in a process of its own, from its own code/ folder, as its endpoint does. It refuses to touch the model that is
judged beside it.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.steps import train
from sagemaker_project_runtime.steps.errors import EvaluationError

# Nothing of ours: only the handler of the champion's archive, of whatever version, and its four functions.
ASK = """
import csv, io, sys
from itertools import islice
import inference, numpy

model, found = inference.model_fn(sys.argv[1]), []
with open(sys.argv[2], encoding="utf-8", newline="") as file:
    reader = csv.reader(file)
    header = next(reader)
    while chunk := list(islice(reader, 5_000)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\\n").writerows([header, *chunk])
        request = inference.input_fn(text.getvalue().encode("utf-8"), "text/csv; header=present")
        prediction = inference.predict_fn(request, model)
        if hasattr(prediction, "error"):
            sys.exit(f"it refuses the test rows: {prediction.error}")
        found.append(numpy.asarray(prediction.scores, dtype=numpy.float64))
numpy.save(sys.argv[3], numpy.concatenate(found))
"""


def has_our_code(model: Path) -> bool:
    """Whether the unpacked champion brought, byte for byte, the code that runs here."""
    ours = train.serving_code()
    theirs = {path.relative_to(model / "code").as_posix(): path for path in (model / "code").rglob("*.*")}
    theirs = {name: path for name, path in theirs.items() if path.is_file() and "__pycache__" not in name}
    return ours.keys() == theirs.keys() and all(ours[name].read_bytes() == theirs[name].read_bytes() for name in ours)


def scores(model: Path, rows: Path) -> NDArray[np.float64]:
    """What the unpacked champion answers by itself. Raises EvaluationError with its last words if it cannot."""
    environment = {**os.environ, "PYTHONPATH": str(model / "code"), "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "scores.npy"
        words = [sys.executable, "-P", "-c", ASK, str(model), str(rows), str(found)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True)
        if done.returncode:
            print(done.stderr, file=sys.stderr, flush=True)
            said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            raise EvaluationError(f"its own code, in a process of its own, does not answer: {said}")
        answers: NDArray[np.float64] = np.load(found)
        return answers
