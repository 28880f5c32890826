"""python scorer.py CODE MODEL BODIES ANSWERS: what a model says to CSV bodies, asked through the code it brought.

A program of its own, started by champion.py: two versions of one runtime cannot live in one process, and this one must
import nothing of the runtime it came with. Of a model's code it relies on what every version has had since the first:
model_fn, input_fn and predict_fn in inference.py, `scores` of an answer, `error` of a refusal, the model's
`transformation.target`.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np

CONTENT_TYPE = "text/csv; header=present"


def main(code: str, model_directory: str, bodies: str, answers: str) -> None:
    """Write target.json into `answers`, and scores.npy or, if it refused, refusal.json with the number of the body."""
    sys.path[0] = code  # in the place of this file's folder
    inference = importlib.import_module("inference")
    model, output = inference.model_fn(model_directory), Path(answers)
    target = model.transformation.target
    known = {"name": target.name, "problem_type": target.problem_type, "classes": list(target.classes)}
    (output / "target.json").write_text(json.dumps(known), encoding="utf-8")
    scores = []
    for number, body in enumerate(sorted(Path(bodies).iterdir())):
        prediction = inference.predict_fn(inference.input_fn(body.read_bytes(), CONTENT_TYPE), model)
        if not hasattr(prediction, "scores"):
            refusal = {"body": number, "error": prediction.error}
            (output / "refusal.json").write_text(json.dumps(refusal), encoding="utf-8")
            return
        scores.append(prediction.scores.astype(np.float64))
    np.save(output / "scores.npy", np.concatenate(scores))


if __name__ == "__main__":
    main(*sys.argv[1:])
