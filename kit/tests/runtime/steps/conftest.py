"""Flows on real data, run once."""

from pathlib import Path

import pytest

from kit.tests.runtime.steps.flow import CHURN, Flow, bundled, completed, config


@pytest.fixture(scope="session")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return completed(tmp_path_factory.mktemp("churn"), CHURN.read_bytes(), config("churn", "binary"))


@pytest.fixture(scope="session")
def wine(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return completed(tmp_path_factory.mktemp("wine"), bundled("wine_data"), config("target", "multiclass"))


@pytest.fixture(scope="session")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    return completed(tmp_path_factory.mktemp("diabetes"), bundled("diabetes"), config("target", "regression"))


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    """A binary flow that has not run yet."""
    return Flow(tmp_path, config("y", "binary"))
