"""The champion is judged by what its endpoint answers: by the code in its archive, whatever kit trained it."""

import csv
import json
import os
import shutil
import subprocess
import sys
import tarfile
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from kit.tests.last_kit import BEFORE_THE_KIT, later_runtime
from kit.tests.places import KIT
from kit.tests.runtime.steps import counted
from kit.tests.runtime.steps.flow import CHURN, Flow, completed, config, mixed_table
from sagemaker_project_runtime.steps import champion
from sagemaker_project_runtime.steps.errors import EvaluationError

LATER = """
import sys
from pathlib import Path
from kit.tests.runtime.steps.flow import Flow, config
flow = Flow(Path(sys.argv[1]), config("churn", "binary"))
assert flow.rerun_preprocess(flow.root / "out") == 0
assert flow.train("--num_round=5") == 0
assert flow.evaluate("auc", 0.5, champion=Path(sys.argv[2])) == 0
"""


@pytest.fixture(scope="module")
def challenger(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """A new model for the columns that the stored champion knows."""
    columns = ("tenure", "contract", "monthly_charges", "total_charges", "churn")
    with CHURN.open(encoding="utf-8", newline="") as file:
        table = [columns, *([row[name] for name in columns] for row in islice(csv.DictReader(file), 1500))]
    return completed(tmp_path_factory.mktemp("four"), table, config("churn", "binary"), "--num_round=10")


@pytest.fixture
def before_the_kit(tmp_path: Path) -> Path:
    """The stored champion, unpacked."""
    with tarfile.open(BEFORE_THE_KIT.archive) as tar:
        tar.extractall(tmp_path / "before", filter="data")
    return tmp_path / "before"


def repacked(archive: Path, folder: Path, changes: dict[str, str]) -> Path:
    """The same model with other files in its archive; returns the folder of the new archive."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "model", filter="data")
    for name, text in changes.items():
        (folder / "model" / name).write_text(text, encoding="utf-8")
    (folder / "archive").mkdir()
    with tarfile.open(folder / "archive" / "model.tar.gz", "w:gz") as tar:
        tar.add(folder / "model", arcname=".")
    return folder / "archive"


def judge(flow: Flow, folder: Path) -> dict[str, Any]:
    """What gate.json says of the champion in `folder`."""
    assert flow.evaluate("auc", 0.5, champion=folder) == 0
    found: dict[str, Any] = flow.json("judged/evaluation/gate.json")["champion"]
    return found


def test_a_champion_from_before_the_kit(challenger: Flow, before_the_kit: Path) -> None:
    """Its area under the curve, counted pair by pair from what it answers."""
    found = judge(challenger, BEFORE_THE_KIT.folder)
    body = (challenger.root / "out" / "test" / "test.csv").read_bytes()
    answers = champion.ask(before_the_kit, [body])
    assert answers.target == {"name": "churn", "problem_type": "binary", "classes": ["No", "Yes"]}
    assert answers.scores is not None
    labels = [float(row["churn"] == "Yes") for row in challenger.rows("test")]
    assert found["value"] == pytest.approx(counted.auc(labels, answers.scores.tolist()), abs=1e-9)
    assert found["value"] > 0.7


def test_its_answers_are_those_of_its_contract(before_the_kit: Path) -> None:
    rows = [json.loads(line) for line in BEFORE_THE_KIT.read("sample.jsonl").splitlines()]
    expected = [json.loads(line)["probability"] for line in BEFORE_THE_KIT.read("expected.jsonl").splitlines()]
    header = list(rows[0])
    lines = [",".join("" if row[name] is None else str(row[name]) for name in header) for row in rows]
    answers = champion.ask(before_the_kit, ["\n".join([",".join(header), *lines]).encode()])
    assert answers.scores is not None
    assert answers.scores.tolist() == pytest.approx(expected, abs=1e-7)


def test_a_champion_of_the_last_kit_in_a_later_one(tmp_path: Path) -> None:
    """Today's model, judged by a runtime that stores models in other files and so could not load it itself."""
    today = completed(tmp_path / "today", mixed_table(), config("churn", "binary"), "--num_round=5")
    before = judge(today, today.root / "archive")
    later = tmp_path / "later"
    shutil.copytree(today.root / "data", later / "data")
    shutil.copy(today.root / "preprocess.json", later)
    path = os.pathsep.join([str(later_runtime(tmp_path / "runtime")), str(KIT.parent), *sys.path])
    command = [sys.executable, "-c", LATER, str(later), str(today.root / "archive")]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (later / "model" / "columns.json").is_file()
    gate = json.loads((later / "judged" / "evaluation" / "gate.json").read_text())
    assert gate["champion"] == before
    assert before["value"] is not None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"code/inference.py": "import a_library_that_is_gone\n"},
            "cannot answer here: ModuleNotFoundError",
        ),
        ({"code/inference.py": "raise SystemExit(3)\n"}, "cannot answer here: exit code 3"),
        ({"transformation.json": "{}"}, "its own code cannot answer here: "),
    ],
)
def test_a_champion_that_cannot_be_asked_stops_nobody(
    challenger: Flow, tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    found = judge(challenger, repacked(BEFORE_THE_KIT.archive, tmp_path, changes))
    assert (found["present"], found["value"]) == (True, None)
    assert reason in found["reason"]


def test_what_a_champion_prints_is_not_the_step_s(
    challenger: Flow, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    own = 'print("auc=0.99")\nfrom model_build.serving.inference import input_fn, model_fn, output_fn, predict_fn\n'
    assert judge(challenger, repacked(BEFORE_THE_KIT.archive, tmp_path, {"code/inference.py": own}))["value"]
    assert "auc=0.99" not in capfd.readouterr().out


def test_an_archive_without_code(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"holds no code/inference\.py"):
        champion.ask(tmp_path, [])


def test_a_refusal_names_the_body(before_the_kit: Path) -> None:
    good = b"tenure,contract,monthly_charges,total_charges\n1,One year,20,20\n"
    answers = champion.ask(before_the_kit, [good, b"tenure\n1\n"])
    assert answers.scores is None
    assert answers.refusal["body"] == 1
    assert "contract" in answers.refusal["error"]
