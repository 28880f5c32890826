"""The project folder of a test."""

from pathlib import Path

import pytest

from tests.local.pipelines import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project folder."""
    return Project(tmp_path)
