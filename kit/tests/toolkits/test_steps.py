"""The steps of a pipeline on AWS's toolkits: the bytes that `make run` made, and the failure files."""

import json
import re
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kit.tests.toolkits.containers import SCIKIT_LEARN, XGBOOST, Ended, Image, image
from kit.tests.toolkits.played import Played
from sagemaker_project_kit.local.jobs.sandbox import Sandbox

pytestmark = pytest.mark.toolkits


def test_versions() -> None:
    """Each environment has what the lock of its image names, as far as it has it."""
    for each in (XGBOOST, SCIKIT_LEARN):
        found = each.installed()
        assert len(found) > 40
        assert found == {name: each.pins[name] for name in found}


@pytest.mark.parametrize("each", [XGBOOST, SCIKIT_LEARN], ids=lambda each: each.name)
def test_nothing_is_reached(each: Image, tmp_path: Path) -> None:
    """No network, and what is read-only cannot be written: what the other tests take for granted."""
    box = Sandbox(tmp_path)
    (box.ml / "model").mkdir()
    code = (
        "import pathlib, socket\n"
        "try: socket.create_connection(('192.0.2.1', 443), 5)\n"
        "except OSError as error: print('network:', error.strerror)\n"
        "try: pathlib.Path('/opt/ml/model/new').write_text('')\n"
        "except OSError as error: print('model:', error.strerror)\n"
    )
    ended = each.run(box, ["python", "-c", code], {}, read_only=[box.ml / "model"])
    assert ended.log.splitlines() == ["network: Network is unreachable", "model: Read-only file system"]


@pytest.mark.parametrize("step", ["Preprocess", "Evaluate"])
def test_processing(step: str, churn: Played, tmp_path: Path) -> None:
    box = Sandbox(tmp_path)
    ended = processing(churn, step, box)
    assert ended.code == 0, ended.log
    for entry in churn.arguments(step)["ProcessingOutputConfig"]["Outputs"]:
        target = entry["S3Output"]
        assert files(box.path(target["LocalPath"])) == files(churn.stored(target["S3Uri"]))
        assert files(box.path(target["LocalPath"]))


def test_processing_that_fails(churn: Played, tmp_path: Path) -> None:
    """The sentence that a person reads, ExitMessage on AWS, is the same."""
    told = churn.failing_data()
    box = Sandbox(tmp_path)
    ended = processing(churn, "Preprocess", box, {"data": churn.BROKEN})
    assert ended.code == 1
    assert (box.ml / "output" / "message").read_text(encoding="utf-8") == told


def test_train(team: Played, tmp_path: Path) -> None:
    """On the image of the project's own model, and on that of a team's with scikit-learn."""
    box = Sandbox(tmp_path)
    ended = training(team, box, {})
    assert ended.code == 0, ended.log
    assert not (box.ml / "output" / "failure").exists()
    with tarfile.open(team.model) as archive:
        members = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        stored = {name: file.read() for name, file in members.items() if file}
    made = files(box.ml / "model")
    # These name the version of scikit-learn; what such a model answers is compared where it is served.
    differing = {name for name in stored.keys() | made.keys() if stored.get(name) != made.get(name)}
    assert differing <= team.versioned


def test_train_that_fails(churn: Played, tmp_path: Path) -> None:
    """XGBoost's toolkit writes over what the step says, and so does `local/`; the sentence stays in the log."""
    told = churn.failing_training()
    ended = training(churn, Sandbox(tmp_path), churn.bad)
    assert ended.code == 1
    failure = (ended.ml / "output" / "failure").read_text(encoding="utf-8")
    ours, theirs = (re.search(r" -m train [^\"]*", text) for text in (told, failure))
    assert ours and theirs and theirs[0].strip() == ours[0].strip()
    assert told.startswith("ExecuteUserScriptError: Command ") and failure.startswith("ExecuteUserScriptError:")
    sentence = re.search(r"^TrainingError: (.*)$", ended.log, re.MULTILINE)
    assert sentence and sentence[1] not in failure and sentence[1] not in told


def test_train_that_fails_elsewhere(diabetes: Played, tmp_path: Path) -> None:
    """scikit-learn's toolkit leaves the step's own sentence; what `local/` tells instead is not what AWS would."""
    ended = training(diabetes, Sandbox(tmp_path), diabetes.bad)
    assert ended.code == 1
    failure = (ended.ml / "output" / "failure").read_text(encoding="utf-8")
    assert "model_build/model.py" in failure and "ExecuteUserScriptError" not in failure


def processing(played: Played, step: str, box: Sandbox, instead: Mapping[str, bytes] | None = None) -> Ended:
    """The job of a Processing step; `instead`: other content for the one file of an input."""
    arguments = played.arguments(step)
    for entry in arguments["ProcessingInputs"]:
        folder = box.path(entry["S3Input"]["LocalPath"])
        played.download(entry["S3Input"]["S3Uri"], folder)
        for path in folder.iterdir() if entry["InputName"] in (instead or {}) else ():
            path.write_bytes((instead or {})[entry["InputName"]])
    for entry in arguments["ProcessingOutputConfig"]["Outputs"]:
        box.path(entry["S3Output"]["LocalPath"]).mkdir(parents=True)
    (box.ml / "output").mkdir()
    application = arguments["AppSpecification"]
    argv = [*application["ContainerEntrypoint"], *application["ContainerArguments"]]
    return image(application["ImageUri"]).run(box, argv, arguments["Environment"])


def training(played: Played, box: Sandbox, changed: Mapping[str, str]) -> Ended:
    """The job of the Training step, by the program `train` of the toolkit, with some hyperparameters changed."""
    arguments = played.arguments("Train")
    given = {**arguments["HyperParameters"], **changed}
    archive = shutil.copy(played.stored(json.loads(given["sagemaker_submit_directory"])), box.root / "sourcedir.tar.gz")
    given["sagemaker_submit_directory"] = json.dumps(str(archive))
    channels: dict[str, Any] = {}
    for entry in arguments["InputDataConfig"]:
        played.download(entry["DataSource"]["S3DataSource"]["S3Uri"], box.ml / "input" / "data" / entry["ChannelName"])
        channels[entry["ChannelName"]] = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated"}
    box.write_json("/opt/ml/input/config/hyperparameters.json", given)
    box.write_json("/opt/ml/input/config/inputdataconfig.json", channels)
    resources = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}
    box.write_json("/opt/ml/input/config/resourceconfig.json", resources)
    for folder in ("model", "output/data"):
        (box.ml / folder).mkdir(parents=True)
    place = image(arguments["AlgorithmSpecification"]["TrainingImage"])
    return place.run(box, ["train"], arguments.get("Environment") or {})


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but compiled Python."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}
