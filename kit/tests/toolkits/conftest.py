"""Projects that have been run once for all tests of the group."""

import shutil
from pathlib import Path

import pytest

from kit.tests.frameworks.projects import LEFT_BEHIND, TeamProject
from kit.tests.frameworks.test_end_to_end import TEAMS
from kit.tests.local.pipelines import Project
from kit.tests.places import PROJECT
from kit.tests.toolkits.played import Played


@pytest.fixture(scope="package")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The project as it is baked: XGBoost."""
    root = tmp_path_factory.mktemp("churn") / "project"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    return Played(_run(TeamProject(Project(root))), {"max_depth": "-3"})


@pytest.fixture(scope="package")
def diabetes(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A team's model with scikit-learn."""
    root: Path = tmp_path_factory.mktemp("diabetes") / "project"
    project = _run(TEAMS["scikit-learn"].start(root))
    return Played(project, {"strength": "-1"}, frozenset({"pipeline.joblib", "framework.json"}))


@pytest.fixture(params=["churn", "diabetes"])
def team(request: pytest.FixtureRequest) -> Played:
    """Each of them."""
    found: Played = request.getfixturevalue(request.param)
    return found


def _run(project: TeamProject) -> TeamProject:
    done = project.run()
    assert done.code == 0, done.out + done.err
    assert project.project.part("local", "registry", "approve").code == 0
    return project
