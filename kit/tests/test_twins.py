"""What two parts of the kit both know, though neither may import the other: the same on both sides, to the letter."""

import ast
import inspect

import pytest

from kit.tests.places import SOURCES
from sagemaker_project_kit.deploy import contract
from sagemaker_project_kit.local.jobs import package
from sagemaker_project_kit.local.serving import serve
from sagemaker_project_kit.pipeline import facts, sources
from sagemaker_project_runtime.serving import payload, seam, wheels
from sagemaker_project_runtime.steps import evaluate, interface, train


def registration_constant(name: str) -> object:
    """Of registration.py, which cannot be imported without the SDK's ten seconds."""
    tree = ast.parse((SOURCES / "sagemaker_project_kit/pipeline/registration.py").read_text(encoding="utf-8"))
    (value,) = [
        node.value for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    found: object = ast.literal_eval(value)
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (facts.FUNCTIONS, seam.FUNCTIONS),
        (sources.WHEELS, wheels.FOLDER),
        (sources.TEAM, train.TEAM),
        (sources.PIPELINE, train.NEEDS_THE_SDK),
        (registration_constant("CONTENT_TYPES"), list(payload.CONTENT_TYPES)),
        ([contract.CSV, contract.JSON, contract.JSONLINES], list(payload.CONTENT_TYPES)),
        (sorted(serve._CONTENT_TYPES.values()), sorted(payload.CONTENT_TYPES)),
        (registration_constant("DEFAULT_ACCEPT"), interface.DEFAULT_ACCEPT),
    ],
    ids=[
        "functions of model.py",
        "folder of wheels",
        "package of the team",
        "module that stays behind",
        "content types of the registration",
        "content types of verify",
        "content types of serve",
        "format of who asks for none",
    ],
)
def test_both_sides_know_the_same(one: object, other: object) -> None:
    assert one == other


def test_archives_are_opened_alike_in_jobs_and_on_this_machine() -> None:
    """Nothing of a model.tar.gz reaches outside its folder: a hardening of one side is a hardening of both."""
    assert inspect.getsource(evaluate._extract) == inspect.getsource(package._extract)
