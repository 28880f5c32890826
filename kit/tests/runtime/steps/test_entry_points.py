"""The code in a model archive installs as AWS's toolkit installs it, and serves without the rest of this project."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sagemaker_project_runtime
from kit.tests.places import PROJECT
from kit.tests.runtime.steps.flow import Flow

SERVE = """
import json, sys
import inference, app, sagemaker_project_runtime
model = inference.model_fn(sys.argv[1])
data = inference.input_fn(open(sys.argv[2], "rb").read(), "application/jsonlines")
body, kind = inference.output_fn(inference.predict_fn(data, model), "*/*")
loaded = [name for name in ("pandas", "sklearn", "sagemaker_project_runtime.steps") if name in sys.modules]
place = sagemaker_project_runtime.__file__
found = {"from": place, "body": body, "kind": kind, "app": callable(app.app), "loaded": loaded}
print(json.dumps(found))
"""


def install(source: Path, target: Path, *options: str) -> None:
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", *options]
    done = subprocess.run(
        [*words, "--target", str(target), "."], cwd=source, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def serve(code: Path, model: Path, sample: Path, cwd: Path) -> dict[str, object]:
    environment = {**os.environ, "PYTHONPATH": str(code)}
    words = [sys.executable, "-c", SERVE, str(model), str(sample)]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("options", [[], ["--no-build-isolation"]], ids=["as AWS does, offline", "with setuptools"])
def test_archive_installs_and_serves(churn: Flow, tmp_path: Path, options: list[str]) -> None:
    assert churn.evaluate("auc", 0.5) == 0
    code = tmp_path / "code"
    shutil.copytree(churn.model_dir / "code", code)
    if options:
        (code / "pyproject.toml").unlink()
    install(code, tmp_path / "site", *options)
    contract = churn.root / "judged" / "contract"
    found = serve(tmp_path / "site", churn.model_dir, contract / "sample.jsonl", tmp_path)
    assert str(found["from"]).startswith(str(tmp_path / "site"))
    assert (found["body"], found["kind"]) == ((contract / "expected.jsonl").read_text(), "application/jsonlines")
    assert (found["app"], found["loaded"]) == (True, [])


def test_archive_holds_only_what_serves(churn: Flow) -> None:
    files = {path.relative_to(churn.model_dir).as_posix() for path in churn.model_dir.rglob("*") if path.is_file()}
    assert {"xgboost-model.ubj", "transformation.json", "learning_curve.json"} <= files
    assert {
        "code/inference.py",
        "code/app.py",
        "code/setup.py",
        "code/sagemaker_project_runtime/serving/inference.py",
    } <= files
    assert not [name for name in files if "steps" in name or "train" in name or "__pycache__" in name]


def test_training_entry_point_calls_the_step(churn: Flow, tmp_path: Path) -> None:
    """As the toolkit starts it: `python -m train` among the code, folders in the environment."""
    root = Path(sagemaker_project_runtime.__path__[0])
    code = tmp_path / "code"
    shutil.copytree(root / "entry_points", code, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("steps", "serving", "entry_points"):
        shutil.copytree(
            root / name, code / "sagemaker_project_runtime" / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("__init__.py", "job.py"):
        shutil.copy(root / name, code / "sagemaker_project_runtime")
    shutil.copytree(PROJECT / "model_build", code / "model_build", ignore=shutil.ignore_patterns("__pycache__"))
    channels = {
        f"SM_CHANNEL_{name.upper()}": str(churn.root / "out" / name)
        for name in ("train", "validation", "transformation")
    }
    folders = {"SM_MODEL_DIR": str(tmp_path / "model"), "SM_OUTPUT_DATA_DIR": str(tmp_path / "data")}
    environment = {**os.environ, **channels, **folders, "PYTHONPATH": ""}
    words = [sys.executable, "-m", "train", "--max_depth", "2", "--num_round", "3"]
    done = subprocess.run(words, cwd=code, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "validation-auc:" in done.stdout
    assert (tmp_path / "model" / "code" / "sagemaker_project_runtime" / "serving" / "app.py").is_file()
