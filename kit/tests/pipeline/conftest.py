"""A project of the tests' own, so that they hold whatever a team writes into its project.toml."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.tests.places import PROJECT
from sagemaker_project_kit.pipeline import session, settings
from sagemaker_project_kit.pipeline.tables import Settings

TOML = """
[project]
name = "churn"
owner = "Data Science"
cost_center = "CC-42"
region = "eu-west-1"
[data]
source = "data/customers.csv"
target = "churn"
problem_type = "binary"
positive_label = "Yes"
[train]
hyperparameters = { max_depth = 4, eta = 0.1, num_round = 20 }
[evaluate]
metric = "auc"
threshold = 0.8
champion_tolerance = 0.01
"""

Load = Callable[..., Settings]


@pytest.fixture(scope="package", autouse=True)
def deprecations_are_errors() -> Iterator[None]:
    """What the SDK is about to take away from the kit or from pipeline.py fails here first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "DEPRECATIONS", "error")
        yield


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project folder with four rows of data."""
    (tmp_path / "data").mkdir()
    shutil.copytree(PROJECT / "model_build", tmp_path / "model_build", ignore=shutil.ignore_patterns("__pycache__"))
    rows = "tenure,plan,churn\n1,basic,Yes\n20,plus,No\n3,basic,Yes\n44,plus,No\n"
    (tmp_path / "data" / "customers.csv").write_text(rows, encoding="utf-8")
    return tmp_path


@pytest.fixture
def load(root: Path) -> Load:
    """Load the project after textual changes: load(("auc", "f1"), environ={…})."""

    def loader(
        *changes: tuple[str, str], environ: dict[str, str] | None = None, override: settings.Override | None = None
    ) -> Settings:
        text = TOML
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (root / "project.toml").write_text(text, encoding="utf-8")
        return settings.load(root, environ or {}, override)

    return loader
