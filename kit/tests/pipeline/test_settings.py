"""project.toml and the environment: what is read, and how problems are told."""

from pathlib import Path

import pytest

from kit.tests.pipeline.conftest import TOML, Load
from kit.tests.places import PROJECT
from sagemaker_project_kit.pipeline.settings import Override, SettingsError, load


def problems(load: Load, *changes: tuple[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(*changes)
    return caught.value.problems


def test_reads_the_project(load: Load) -> None:
    settings = load()
    assert settings.data.split.train == 0.70
    assert settings.pipeline_name == "churn-training"
    assert settings.tags == {"sagemaker:project-name": "churn", "owner": "Data Science", "cost-center": "CC-42"}


def test_the_environment_of_codebuild_wins(load: Load) -> None:
    environ = {
        "SAGEMAKER_PROJECT_NAME": "x" * 32,
        "SAGEMAKER_PROJECT_ID": "p-" + "1" * 18,
        "AWS_REGION": "eu-central-1",
    }
    settings = load(environ=environ)
    assert settings.unique_name == "x" * 32 + "-p-" + "1" * 18
    assert len(settings.model_package_group) <= 63
    assert settings.environment.region == "eu-central-1"


def test_the_owner_whom_the_form_of_the_product_names_comes_first(load: Load) -> None:
    project = load(environ={"PROJECT_OWNER": "Churn squad", "PROJECT_COST_CENTER": "CC-7"}).project
    assert (project.owner, project.cost_center, load().project.owner) == ("Churn squad", "CC-7", "Data Science")


def test_the_network_of_the_jobs(load: Load) -> None:
    subnets, groups = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"], ["sg-0123456789abcdef0"]
    environ = {"SUBNET_IDS": ",".join(subnets), "SECURITY_GROUP_IDS": ",".join(groups)}
    found = load(environ=environ).environment
    assert (found.subnet_ids, found.security_group_ids) == (subnets, groups)
    assert (load().environment.subnet_ids, load().environment.security_group_ids) == ([], [])


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"SUBNET_IDS": "subnet-0123456789abcdef0"}, "must be given together; found SUBNET_IDS alone"),
        ({"SECURITY_GROUP_IDS": "sg-0123456789abcdef0"}, "must be given together; found SECURITY_GROUP_IDS alone"),
        ({"SUBNET_IDS": "vpc-1", "SECURITY_GROUP_IDS": "sg-0123456789abcdef0"}, "must be ids such as subnet-0123456"),
        ({"SUBNET_IDS": "subnet-01234567", "SECURITY_GROUP_IDS": "sg-1; rm"}, "must be ids such as sg-0123456"),
    ],
)
def test_half_a_network_is_refused(load: Load, environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(environ=environ)


def test_every_problem_is_told_at_once(load: Load) -> None:
    told = problems(
        load,
        ('metric = "auc"', 'metrc = "auc"'),
        ("threshold = 0.8", 'threshold = "high"'),
        ('target = "churn"', 'target = "chrun"'),
        ("eta = 0.1", "eta = [0.1]"),
        ('owner = "Data Science"', 'ownr = "x"'),
    )
    text = "\n".join(told)
    assert "[evaluate] metrc: unknown key; did you mean 'metric'?" in text
    assert "[evaluate] threshold: input should be a valid number; found 'high'" in text
    assert "no column 'chrun'; did you mean 'churn'?" in text
    assert "eta must be a number" in text
    assert "[project] ownr: unknown key; did you mean 'owner'?" in text


def test_a_wrong_table_hides_nothing(load: Load) -> None:
    told = problems(
        load,
        ("[train]", "[data.split]\ntrain = 0.9\n[train]"),
        ("threshold = 0.8", 'threshold = "high"'),
        ('metric = "auc"', 'metric = "rmse"'),
        ('target = "churn"', 'target = "churn"\ndrop = ["tenur"]'),
        ("eta = 0.1", "etta = 0.1"),
    )
    assert len(told) == 5


def test_a_misspelt_hyperparameter(load: Load) -> None:
    (told,) = problems(load, ("max_depth = 4", "max_dept = 4"))
    assert told == (
        "project.toml [train.hyperparameters] max_dept: model_build/model.py declares no such hyperparameter; "
        "did you mean 'max_depth'?"
    )


@pytest.mark.parametrize("name", ["x" * 33, "-x", "x-", "a_b", "a b", "a/b", "../a", "a\\nb", "né", "🙂", ""])
def test_names_that_sagemaker_would_refuse(load: Load, name: str) -> None:
    assert "project name" in "".join(problems(load, ('name = "churn"', f'name = "{name}"')))


@pytest.mark.parametrize("name", ["x" * 32, "1st", "UPPER", "a--b"])
def test_names_that_sagemaker_takes(load: Load, name: str) -> None:
    assert load(('name = "churn"', f'name = "{name}"')).project.name == name


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (('"binary"', '"binry"'), "problem_type"),
        (('metric = "auc"', 'metric = "rmse"'), "'rmse' is not a binary metric; allowed: auc, f1"),
        (("[train]", "[data.split]\ntrain = 0.9\n[train]"), "must be 1, found 1.2"),
        (("[train]", '[train]\ninstance_type = "m5.large"'), "instance_type"),
        (("[evaluate]", '[train.tuning]\nstrategy = "bayesian"\n[evaluate]'), "ranges must name at least one"),
        (("[evaluate]", "[train.tuning]\nranges = { eta = [3, 1] }\n[evaluate]"), "eta must be [low, high]"),
        (("[evaluate]", "[evaluation]\n[evaluate]"), "[evaluation]: unknown key; did you mean 'evaluate'?"),
        (('"data/customers.csv"', '"data/nowhere.csv"'), "there is no file data/nowhere.csv"),
        (
            ('target = "churn"', 'target = "churn"\ndrop = ["tenur"]'),
            "[data] drop: data/customers.csv has no column 'tenur'; did you mean 'tenure'?",
        ),
    ],
)
def test_one_problem_one_sentence(load: Load, change: tuple[str, str], sentence: str) -> None:
    assert sentence in "\n".join(problems(load, change))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no header line"),
        (b"a,b\n", "a header and no rows"),
        (b"a,a\n1,2\n", "two columns named 'a'"),
        (b"\x00\xff\xfe\x81", "not text in UTF-8"),
        (b"\n", "no header line"),
    ],
)
def test_files_that_are_no_table(root: Path, load: Load, content: bytes, sentence: str) -> None:
    (root / "data" / "customers.csv").write_bytes(content)
    assert sentence in "".join(problems(load))


def test_a_missing_or_broken_project_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is missing; run this from the project's folder"):
        load(tmp_path, {})
    (tmp_path / "project.toml").write_text("[project\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load(tmp_path, {})


def test_an_unrendered_template_works(load: Load) -> None:
    placeholder = '"' + "{" * 2 + " cookiecutter.anything " + "}" * 2 + '"'
    settings = load(('name = "churn"', f"name = {placeholder}"), ('owner = "Data Science"', f"owner = {placeholder}"))
    assert settings.project.name == "unrendered"
    assert "owner" not in settings.tags


def test_an_own_file_needs_no_edit(root: Path, load: Load) -> None:
    own = root / "Häuser & Preise (2024).csv"
    own.write_text("größe;preis\n1;2\n", encoding="utf-8")
    settings = load(override=Override(data=str(own), target="preis", problem="regression"))
    assert (settings.evaluate.metric, settings.evaluate.threshold) == ("r2", 0.0)
    assert settings.project.name == "churn-H-user-Preise-2024"
    assert settings.data.positive_label is None


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        (Override(data="x.csv"), "needs all three"),
        (Override(data="x.csv", target="y", problem="classification"), "must be one of binary, multiclass, regression"),
        (Override(data="x.csv", target="y", problem="binary"), "there is no file x.csv"),
    ],
)
def test_an_own_file_that_cannot_be_used(load: Load, override: Override, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load(override=override)


def test_the_tests_project_is_what_project_toml_looks_like() -> None:
    tables = {line for line in TOML.splitlines() if line.startswith("[")}
    shipped = (PROJECT / "project.toml").read_text(encoding="utf-8")
    assert all(table in shipped for table in tables)
