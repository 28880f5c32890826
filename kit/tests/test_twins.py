"""What two parts of the kit both know, though neither may import the other: the same on both sides, to the letter."""

import inspect

import pytest

from sagemaker_project_kit.local.jobs import package
from sagemaker_project_kit.pipeline import facts, sources
from sagemaker_project_runtime.serving import seam, wheels
from sagemaker_project_runtime.steps import evaluate, train


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (facts.FUNCTIONS, seam.FUNCTIONS),
        (sources.WHEELS, wheels.FOLDER),
        (sources.TEAM, train.TEAM),
        (sources.PIPELINE, train.NEEDS_THE_SDK),
    ],
    ids=["functions of model.py", "folder of wheels", "package of the team", "module that stays behind"],
)
def test_both_sides_know_the_same(one: object, other: object) -> None:
    assert one == other


def test_archives_are_opened_alike_in_jobs_and_on_this_machine() -> None:
    """Nothing of a model.tar.gz reaches outside its folder: a hardening of one side is a hardening of both."""
    assert inspect.getsource(evaluate._extract) == inspect.getsource(package._extract)
