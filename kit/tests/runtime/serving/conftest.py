"""Small models, trained once on tables that hold every kind of column."""

from typing import Any

import pytest

from kit.tests.runtime.steps.flow import Flow, bundled, completed, config, mixed_table
from sagemaker_project_runtime.serving.inference import Model

FEW = ("--num_round", "15", "--max_depth", "4")


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return completed(tmp_path_factory.mktemp("mixed"), mixed_table(), config("churn", "binary"), *FEW)


@pytest.fixture(scope="session")
def binary(mixed: Flow) -> Model:
    return mixed.model()


@pytest.fixture(scope="session")
def multiclass(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return completed(
        tmp_path_factory.mktemp("wine"), bundled("wine_data"), config("target", "multiclass"), *FEW
    ).model()


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return completed(
        tmp_path_factory.mktemp("diabetes"), bundled("diabetes"), config("target", "regression"), *FEW
    ).model()


@pytest.fixture
def row() -> dict[str, Any]:
    """One raw row that the model of the mixed table takes."""
    city, since = "Köln", "2015-03-09"
    return {"größe": 171.5, "Stadt, Land": city, "since": since, "noisy": 12, "visits": 3}
