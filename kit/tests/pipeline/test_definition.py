"""What the SDK writes: offline, always the same, valid for SageMaker's API, and only when it must."""

import ast
import copy
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.tests.pipeline.conftest import Load
from sagemaker_project_kit.local.jobs import images
from sagemaker_project_kit.pipeline import definition, golden
from sagemaker_project_kit.pipeline.definition import fingerprint, synthesize, write_with_sdk
from sagemaker_project_kit.pipeline.session import offline
from sagemaker_project_kit.pipeline.staging import Locations
from sagemaker_project_kit.pipeline.tables import Settings
from sagemaker_project_kit.pipeline.validation import DefinitionError, check, find_problems, walk_steps
from sagemaker_project_runtime.steps import known_metrics
from sagemaker_project_runtime.steps.train import LearningCurve

GOLDEN = Path(__file__).parent / "golden"
FRAMEWORKS = Path(__file__).parents[1] / "frameworks"
TUNING = (
    "[evaluate]",
    '[train.tuning]\nstrategy = "bayesian"\nranges = { max_depth = [3, 9], eta = [0.01, 0.3] }\n[evaluate]',
)
REGRESSION = (('"binary"\npositive_label = "Yes"', '"regression"'), ('metric = "auc"', 'metric = "rmse"'))
VARIANTS: dict[str, list[tuple[str, str]]] = {
    "training": [],
    "tuning": [TUNING],
    "random-tuning": [(TUNING[0], TUNING[1].replace("bayesian", "random"))],
    "regression": list(REGRESSION),
    "multiclass": [('"binary"\npositive_label = "Yes"', '"multiclass"'), ('metric = "auc"', 'metric = "weighted_f1"')],
    "spot": [("[train]", "[train]\nspot = true")],
}


WRITTEN: dict[str, str] = {}


def written(settings: Settings) -> str:
    """What the SDK writes for these settings; for the same ones, what it wrote before (others test that)."""
    key = settings.model_dump_json(exclude={"root"})
    if key not in WRITTEN:
        WRITTEN[key] = write_with_sdk(settings)
    return WRITTEN[key]


def built(settings: Settings) -> dict[str, Any]:
    parsed: dict[str, Any] = definition.without_empty(json.loads(written(settings)))
    return parsed


@pytest.fixture(scope="module", autouse=True)
def called() -> Iterator[list[object]]:
    """The addresses that anything here tried to reach; every connection is refused, from before the SDK is imported.

    Every process that SDK 3.27 is imported in opens sessions at import time.
    """
    assert "sagemaker" not in sys.modules, "imported before, so that nobody saw whether that makes a call"
    tried: list[object] = []

    def refuse(_: socket.socket, address: object) -> None:
        tried.append(address)
        raise OSError(f"tests do not talk to {address}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        yield tried


def test_offline_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    with offline():
        assert os.environ["AWS_EC2_METADATA_DISABLED"] == "true"
    assert "AWS_EC2_METADATA_DISABLED" not in os.environ
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-north-1"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_valid_and_makes_no_call(load: Load, called: list[object], variant: str) -> None:
    """Written anew whatever the tests before wrote, and the same again."""
    settings = load(*VARIANTS[variant])
    assert write_with_sdk(settings) == written(settings)
    assert called == []
    assert find_problems(built(settings)) == []


NETWORK = {
    "SUBNET_IDS": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "SECURITY_GROUP_IDS": "sg-0123456789abcdef0",
}


@pytest.mark.parametrize("variant", ["training", "tuning", "spot"])
def test_every_job_runs_in_the_network_that_is_given(load: Load, variant: str) -> None:
    document = built(load(*VARIANTS[variant], environ=NETWORK))
    expected = {"Subnets": NETWORK["SUBNET_IDS"].split(","), "SecurityGroupIds": [NETWORK["SECURITY_GROUP_IDS"]]}
    steps = {step["Name"]: step for step in walk_steps(document["Steps"]) if step["Type"] in JOBS}
    assert {name: networks(step["Arguments"]) for name, step in steps.items()} == {name: [expected] for name in steps}
    assert len(steps) == 3
    assert find_problems(document) == []


JOBS = ("Processing", "Training", "Tuning")


def networks(value: Any) -> list[Any]:
    """Every VpcConfig in a request."""
    if isinstance(value, list):
        return [found for part in value for found in networks(part)]
    if not isinstance(value, dict):
        return []
    return [*([value["VpcConfig"]] if "VpcConfig" in value else []), *networks(list(value.values()))]


@pytest.mark.parametrize("variant", ["training", "tuning"])
def test_golden(load: Load, variant: str) -> None:
    """What another process wrote, in its order. After a wanted change: write the new text, read and commit both."""
    text = json.dumps(built(load(*VARIANTS[variant])), indent=2) + "\n"
    golden = GOLDEN / f"{variant}.json"
    try:
        expected = golden.read_text(encoding="utf-8")
    except FileNotFoundError:
        golden.write_text(text, encoding="utf-8")
        pytest.fail(f"{golden.name} was missing and has been written; read it and commit it")
    assert text == expected, f"delete {golden}, run this test again and read what git diff shows"


def test_a_framework_image_is_told_its_metric(root: Path, load: Load) -> None:
    """And a range is of the kind that model.py declares, whatever its numbers look like."""
    shutil.copy(FRAMEWORKS / "scikit_learn" / "model.py", root / "model_build" / "model.py")
    own = ("{ max_depth = 4, eta = 0.1, num_round = 20 }", "{ max_iter = 100 }")
    document = built(
        load(own, (TUNING[0], '[train.tuning]\nstrategy = "random"\nranges.strength = [1, 10]\n[evaluate]'))
    )
    assert find_problems(document) == []
    arguments = {step["Name"]: step["Arguments"] for step in walk_steps(document["Steps"])}
    algorithm = arguments["Tune"]["TrainingJobDefinition"]["AlgorithmSpecification"]
    config = arguments["Tune"]["HyperParameterTuningJobConfig"]
    assert "/sagemaker-scikit-learn:1.9-0" in algorithm["TrainingImage"]
    assert arguments["Evaluate"]["AppSpecification"]["ImageUri"] == algorithm["TrainingImage"]
    assert [one["Name"] for one in config["ParameterRanges"]["ContinuousParameterRanges"]] == ["strength"]
    assert list(images.refusals(algorithm, config)) == []
    curve = LearningCurve()
    curve.report({"validation": {"logloss": [0.7, 0.4]}}, 1)
    (definition,) = algorithm["MetricDefinitions"]
    found = re.search(definition["Regex"], str(curve.objective("logloss")))
    assert definition["Name"] == config["HyperParameterTuningJobObjective"]["MetricName"]
    assert found and float(found[1]) == 0.4


def test_the_gates_follow_the_metric(load: Load) -> None:
    larger, smaller = built(load()), built(load(*REGRESSION))
    types = [
        {s["Name"]: s for s in walk_steps(d["Steps"])}["CheckThreshold"]["Arguments"]["Conditions"][0]["Type"]
        for d in (larger, smaller)
    ]
    assert types == ["GreaterThanOrEqualTo", "LessThanOrEqualTo"]


KEY = "arn:aws:kms:eu-west-1:111111111111:key/1234"
SECURED = {**NETWORK, "KMS_KEY_ARN": KEY}


@pytest.mark.parametrize("variant", VARIANTS)
def test_keys_reach_every_volume_and_output(load: Load, variant: str) -> None:
    document = built(load(*VARIANTS[variant], environ={"KMS_KEY_ARN": KEY}))
    jobs = {step["Name"]: json.dumps(step["Arguments"]) for step in walk_steps(document["Steps"])}
    jobs = {name: jobs[name] for name in jobs.keys() & {"Preprocess", "Train", "Tune", "Evaluate"}}
    assert len(jobs) == 3
    for name, text in jobs.items():
        assert text.count("VolumeSizeInGB") == text.count(f'"VolumeKmsKeyId": "{KEY}"') == 1, name
        assert text.count(f'"KmsKeyId": "{KEY}"') == 1, name


@pytest.mark.parametrize("spot", [False, True], ids=["on demand", "spot"])
@pytest.mark.parametrize("framework", ["xgboost", "scikit_learn"])
def test_a_job_of_a_search_is_the_single_job_but_for_what_is_searched(
    root: Path, load: Load, framework: str, spot: bool
) -> None:
    """Field by field: whatever the SDK forgets to copy from one request into the other."""
    changes, searched = VARIANTS["spot"] * spot, TUNING
    if framework == "scikit_learn":
        shutil.copy(FRAMEWORKS / framework / "model.py", root / "model_build" / "model.py")
        changes = [*changes, ("{ max_depth = 4, eta = 0.1, num_round = 20 }", "{ max_iter = 100 }")]
        searched = (TUNING[0], '[train.tuning]\nstrategy = "random"\nranges.strength = [1, 10]\n[evaluate]')
    document = built(load(*changes, searched, environ=SECURED))
    single = request(built(load(*changes, environ=SECURED)), "Train")
    job = request(document, "Tune")["TrainingJobDefinition"]
    job["AlgorithmSpecification"].pop("MetricDefinitions", None)  # only a search looks for a metric in the log
    fixed = single.pop("HyperParameters")
    assert {name: fixed.get(name) for name in job["StaticHyperParameters"]} == job.pop("StaticHyperParameters")
    assert job == single
    assert find_problems(document) == []


def request(document: dict[str, Any], step: str) -> dict[str, Any]:
    found: dict[str, Any] = _step(document, step)["Arguments"]
    return found


def test_an_execution_leaves_no_experiment_behind(load: Load) -> None:
    assert "PipelineExperimentConfig" not in built(load())


def test_what_the_sdk_takes_away_is_seen_here_first(root: Path, load: Load) -> None:
    """In a module of ours, not in the SDK's own, and by those who use pipeline.py as a warning."""
    warn = "import warnings; warnings.warn('going away', DeprecationWarning, stacklevel=1)"
    with offline():
        exec(warn, {"__name__": "sagemaker.core.shapes"})  # noqa: S102
        for module in ("sagemaker_project_kit.pipeline.jobs", "model_build.pipeline"):
            with pytest.raises(DeprecationWarning, match="going away"):
                exec(warn, {"__name__": module})  # noqa: S102


def test_nothing_is_imported_from_a_module_that_will_go_away(root: Path) -> None:
    """The SDK imports such shims itself before we do, so that their warning names another."""
    ours = [*Path(definition.__file__).parent.glob("*.py"), *(root / "model_build").glob("*.py")]
    nodes = [node for path in ours for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    modules = {name for name in named if name.partition(".")[0] == "sagemaker"}
    assert len(modules) > 10
    assert [name for name in sorted(modules) if warns_when_imported(name)] == []
    assert warns_when_imported("sagemaker.train.configs")


def warns_when_imported(module: str) -> bool:
    with offline():
        spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.Expr) and ast.unparse(node).startswith("warnings.warn(") for node in body)


def test_caching_and_retries_are_on(load: Load) -> None:
    steps = [step for step in walk_steps(built(load())["Steps"]) if step["Type"] in ("Processing", "Training")]
    assert steps
    assert all(
        step["CacheConfig"] == {"Enabled": True, "ExpireAfter": "P30D"} and step["RetryPolicies"] for step in steps
    )


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK writes only what no test has asked for yet."""
    monkeypatch.setattr(definition, "write_with_sdk", written)


# --- steps that somebody adds: what they ask for is there, or they are told what is


class Asked:
    """A step that asks for something of those before it."""

    def __init__(self, ask: Callable[[Any], object]) -> None:
        self.ask = ask

    def __call__(self, context: Any) -> Any:
        self.ask(context)
        raise AssertionError("it got what is not there")


ASKS: dict[str, tuple[Callable[[Any], object], str]] = {
    "no such step": (lambda context: context.output("Prepare", "train"), "no step Prepare yet, only Preprocess"),
    "no such output": (lambda context: context.output("Preprocess", "tests"), "no output 'tests', only train, valid"),
    "a later step": (lambda context: context.model(), "no step Tune or Train yet, only Preprocess: name it earlier"),
    "no such report": (lambda context: context.read("Preprocess", "Sum", "x"), "no report 'Sum', only Summary"),
}


@pytest.mark.parametrize("case", ASKS)
def test_a_step_that_asks_for_what_is_not_there_is_told_what_is(load: Load, case: str) -> None:
    ask, sentence = ASKS[case]
    settings = load()
    with offline():
        preprocess = importlib.import_module("model_build.pipeline").preprocess

        from sagemaker_project_kit.pipeline.context import StepOrderError
        from sagemaker_project_kit.pipeline.context import definition as make

        with pytest.raises(StepOrderError, match=sentence):
            make(settings, Locations.placeholders(settings), [preprocess, Asked(ask)])


# --- the golden definition of a project


@pytest.fixture
def agreed(root: Path, load: Load, known: None) -> Path:
    """A project whose golden definition has been agreed to."""
    load()
    assert golden.renew(root)
    assert golden.difference(root) == ""
    return root


@pytest.mark.parametrize(
    "change", [('name = "churn"', 'name = "other"'), ("Data Science", "Us"), ("eu-west-1", "eu-west-2")]
)
def test_who_owns_it_and_where_it_runs_is_not_in_the_golden_definition(
    agreed: Path, load: Load, change: tuple[str, str]
) -> None:
    load(change)
    assert golden.difference(agreed) == ""


def test_neither_are_code_data_and_this_machine(agreed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (agreed / "model_build" / "mine.py").write_text("x = 1\n", encoding="utf-8")
    (agreed / "data" / "customers.csv").write_text("tenure,plan,churn\n9,basic,Yes\n", encoding="utf-8")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("ARTIFACT_BUCKET", "elsewhere")
    assert golden.difference(agreed) == ""


@pytest.mark.parametrize(
    "change",
    [("max_depth = 4", "max_depth = 5"), ("threshold = 0.8", "threshold = 0.9"), ("max_depth = 4, ", "")],
)
def test_nor_is_what_is_tried_every_day(agreed: Path, load: Load, change: tuple[str, str]) -> None:
    """A push of another hyperparameter trains; nobody has to agree to it twice."""
    load(change)
    assert golden.difference(agreed) == ""


@pytest.mark.parametrize(
    "change",
    [
        ('metric = "auc"', 'metric = "f1"'),
        ("[train]", "[train]\nmax_runtime_minutes = 5"),
        ("[train]", "[train]\nspot = true"),
    ],
)
def test_what_the_pipeline_does_is_in_the_golden_definition(agreed: Path, load: Load, change: tuple[str, str]) -> None:
    load(change)
    changed = golden.difference(agreed)
    assert changed.startswith("--- tests/golden/definition.json")
    assert golden.renew(agreed) == changed
    assert golden.difference(agreed) == ""


def test_a_module_that_pipeline_py_imports_shapes_the_definition(root: Path, load: Load) -> None:
    """As deep as it goes; others do not."""
    team = root / "model_build"
    pipeline = team / "pipeline.py"
    pipeline.write_text(f"from model_build import mine\n{pipeline.read_text(encoding='utf-8')}", encoding="utf-8")
    for name, text in (("mine", "from . import deeper\n"), ("deeper", "x = 1\n"), ("other", "x = 1\n")):
        (team / f"{name}.py").write_text(text, encoding="utf-8")
    before = fingerprint(load())
    (team / "other.py").write_text("x = 2\n", encoding="utf-8")
    assert fingerprint(load()) == before
    (team / "deeper.py").write_text("x = 2\n", encoding="utf-8")
    assert fingerprint(load()) != before


def test_the_direction_of_a_metric_shapes_the_definition(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A team corrects `minimize` of its metric: a gate from the cache would let the worst model pass."""
    before = fingerprint(load())
    monkeypatch.setattr(known_metrics, "MINIMIZED", frozenset({"auc"}))
    assert fingerprint(load()) != before


# --- the cache: the SDK is imported only when the definition's shape may change


@pytest.mark.usefixtures("known")
def test_an_unchanged_definition_never_imports_the_sdk(root: Path, load: Load) -> None:
    synthesize(load(), root / "build")
    (root / "data" / "customers.csv").write_text("tenure,plan,churn\n9,basic,Yes\n", encoding="utf-8")
    load(("threshold = 0.8", "threshold = 0.9"))
    code = (
        "import sys, pathlib; from sagemaker_project_kit.pipeline import settings, definition;"
        "root = pathlib.Path(sys.argv[1]);"
        "done = definition.synthesize(settings.load(root, {}), root / 'build');"
        "assert done.reused and not [name for name in sys.modules if name.partition('.')[0] == 'sagemaker']"
    )
    subprocess.run([sys.executable, "-c", code, str(root)], check=True, cwd=Path(__file__).parents[2])
    written = json.loads((root / "build" / "definition.json").read_text(encoding="utf-8"))
    assert {p["Name"]: p.get("DefaultValue") for p in written["Parameters"]}["MetricThreshold"] == 0.9


@pytest.mark.parametrize(
    "change",
    [
        ("max_depth = 4", "max_depth = 5"),
        ("eu-west-1", "eu-west-2"),
        ('"auc"', '"f1"'),
        ('name = "churn"', 'name = "other"'),
        TUNING,
    ],
)
def test_what_shapes_the_definition_renews_it(load: Load, change: tuple[str, str]) -> None:
    assert fingerprint(load()) != fingerprint(load(change))


@pytest.mark.usefixtures("known")
def test_every_object_that_a_definition_names_is_staged(root: Path, load: Load) -> None:
    done = synthesize(load(), root / "build", commit="abc123")
    text, assets = done.definition.read_text(encoding="utf-8"), json.loads(done.assets.read_text(encoding="utf-8"))
    assert "@" not in text.replace("@sha", "")
    named = {
        word.strip('\\"')
        for word in text.split('"')
        if word.startswith("s3://") and "/runs" not in word and not word.endswith("/models")
    }
    assert all(any(uri.startswith(name) for uri in assets) for name in named)
    assert all(Path(path).is_file() for path in assets.values())


@pytest.mark.usefixtures("known")
def test_a_refused_definition_leaves_the_last_good_one(root: Path, load: Load) -> None:
    good = synthesize(load(), root / "build").definition.read_text(encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"'ml\.m5\.larg' is not one of the"):
        synthesize(load(("[train]", '[train]\ninstance_type = "ml.m5.larg"')), root / "build")
    assert (root / "build" / "definition.json").read_text(encoding="utf-8") == good


# --- the check itself: every seeded fault is found


def _step(d: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(step for step in walk_steps(d["Steps"]) if step["Name"] == name)
    return found


FAULTS: dict[str, Any] = {
    "unknown field": lambda d: _step(d, "Train")["Arguments"].update(HyperParametrs={}),
    "wrong type": lambda d: _step(d, "Train")["Arguments"]["ResourceConfig"].update(InstanceCount="1"),
    "instance type": lambda d: _step(d, "Train")["Arguments"]["ResourceConfig"].update(InstanceType="ml.m5.huge"),
    "missing member": lambda d: _step(d, "Preprocess")["Arguments"].pop("RoleArn"),
    "pattern": lambda d: _step(d, "Train")["Arguments"].update(RoleArn="role/x"),
    "unknown parameter": lambda d: d["Parameters"].pop(0),
    "unknown step": lambda d: d["Steps"].pop(0),
    "unknown property": lambda d: _step(d, "Evaluate")["Arguments"]["ProcessingInputs"][0]["S3Input"].update(
        S3Uri={"Get": "Steps.Train.ModelArtefacts.S3ModelArtifacts"}
    ),
    "unknown output": lambda d: _step(d, "Preprocess")["Arguments"]["ProcessingOutputConfig"]["Outputs"].pop(0),
    "property file": lambda d: _step(d, "Evaluate")["PropertyFiles"].pop(1),
    "depends on": lambda d: _step(d, "Train").update(DependsOn=["Nothing"]),
    "step name": lambda d: _step(d, "Train").update(Name="Train!"),
    "two of a name": lambda d: d["Steps"].append(copy.deepcopy(d["Steps"][0])),
    "step type": lambda d: _step(d, "Train").update(Type="Trainig"),
    "metadata too long": lambda d: _step(d, "Register")["Arguments"]["CustomerMetadataProperties"].update(
        note="x" * 257
    ),
    "enum": lambda d: _step(d, "Register")["Arguments"].update(ModelApprovalStatus="Aproved"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_check_finds_each_seeded_fault(fault: str) -> None:
    broken = json.loads((GOLDEN / "training.json").read_text(encoding="utf-8"))
    assert find_problems(broken) == []
    FAULTS[fault](broken)
    with pytest.raises(DefinitionError):
        check(broken)
