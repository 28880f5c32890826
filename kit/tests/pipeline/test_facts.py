"""model.py's facts: read from its text, without running it; what project.toml may say follows from them."""

from pathlib import Path

import pytest

from kit.tests.pipeline.conftest import Load
from kit.tests.places import PROJECT
from sagemaker_project_kit.local.jobs import images
from sagemaker_project_kit.pipeline.facts import read
from sagemaker_project_kit.pipeline.settings import SettingsError


def test_the_project_s_own_model() -> None:
    model, problems = read(PROJECT / "model_build" / "model.py")
    assert problems == [] and model is not None
    assert (model.framework, model.image, model.image_version, model.is_built_in) == (
        "xgboost",
        "xgboost",
        "3.2-0",
        True,
    )
    assert model.objectives["regression"] == ("rmse", "Minimize")
    assert len(model.tunable) == 12 and not set(model.tunable) & set(model.fixed)


def test_it_varies_what_the_image_lets_vary() -> None:
    """The stand-in's table has its own source; both must agree."""
    model, _ = read(PROJECT / "model_build" / "model.py")
    assert model is not None
    algorithm = {"TrainingImage": "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0"}
    for metric, direction in model.objectives.values():
        objective = {"MetricName": f"validation:{metric}", "Type": direction}
        ranges: dict[str, list[dict[str, str]]] = {}
        for name, kind in model.tunable.items():
            ranges.setdefault(f"{kind}ParameterRanges", []).append({"Name": name})
        config = {"HyperParameterTuningJobObjective": objective, "ParameterRanges": ranges}
        assert list(images.refusals(algorithm, config)) == []


def test_nothing_is_run(tmp_path: Path) -> None:
    text = (PROJECT / "model_build" / "model.py").read_text(encoding="utf-8")
    (tmp_path / "model.py").write_text(text + "\nraise SystemExit('run')\n", encoding="utf-8")
    assert read(tmp_path / "model.py")[1] == []


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def predict(", "def predikt(", "model_build/model.py: has no function predict"),
        ('FRAMEWORK = "xgboost"', "", "model_build/model.py: FRAMEWORK is missing"),
        (
            'IMAGE = "xgboost"',
            "IMAGE = xgb.__name__",
            "model_build/model.py, line 20: IMAGE must be a plain value, because it is read without running the file",
        ),
        (
            '"Integer": "num_round max_depth"',
            '"Whole": "num_round"',
            "model_build/model.py: TUNABLE 'Whole' is no kind",
        ),
        ('"Maximize"', '"Up"', "model_build/model.py: OBJECTIVES 'Up' is neither Maximize nor Minimize"),
        ('("auc", "Maximize")', '"auc"', "model_build/model.py: OBJECTIVES[binary] input should be a valid tuple"),
        ("def train(", "def train(:", "model_build/model.py is not valid Python"),
    ],
)
def test_what_is_wrong_is_told_before_anything_runs(root: Path, load: Load, old: str, new: str, told: str) -> None:
    path = root / "model_build" / "model.py"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load()
    assert told in caught.value.problems[0]


def test_a_project_without_a_model(root: Path, load: Load) -> None:
    (root / "model_build" / "model.py").unlink()
    with pytest.raises(SettingsError, match=r"model_build/model\.py is missing"):
        load(("max_depth = 4", "max_dept = 4"))


RANGES = "[train.tuning.ranges]\n{}\n[evaluate]"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("max_depth = 4", "max_depth = 4.5"), "[train.hyperparameters] max_depth: must be a whole number"),
        (("eta = 0.1", 'eta = "small"'), "[train.hyperparameters] eta: must be a number"),
        (("eta = 0.1", "eta = true"), "[train.hyperparameters] eta: must be a number"),
        (
            ("[evaluate]", RANGES.format("max_leaves = [8, 64]")),
            "[train.tuning.ranges] max_leaves: is not among the hyperparameters that a search may vary",
        ),
        (("[evaluate]", RANGES.format('tree_method = ["hist", "exact"]')), "[train.tuning.ranges] tree_method: is not"),
        (("[evaluate]", RANGES.format("learning_rate = [0.1, 0.2]")), "[train.tuning.ranges] learning_rate: is not"),
        (("[evaluate]", RANGES.format("max_depth = [1.5, 3]")), "max_depth: must hold a whole number on both sides"),
        (("[evaluate]", "[model]\nimage = 'x'\n[evaluate]"), "[model]: unknown key; what belongs to the model"),
    ],
)
def test_values_follow_what_the_model_declares(load: Load, change: tuple[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(change)
    assert len(caught.value.problems) == 1
    assert told in caught.value.problems[0]


def test_any_value_of_the_right_kind_is_taken(load: Load) -> None:
    settings = load(("eta = 0.1", 'eta = 1, monotone_constraints = "(1,0)", scale_pos_weight = "auto", max_bin = 64'))
    assert settings.train.hyperparameters["eta"] == 1
