"""What the tests share: this project's jobs, played once on its own data (the file that project.toml names)."""

from pathlib import Path

import pytest
from sagemaker_project_kit.testing.trial import Trial, play

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project."""
    return ROOT


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Data prepared, a model trained with project.toml's hyperparameters, and judged."""
    return play(ROOT, tmp_path_factory.mktemp("trial"))
