"""The patterns of names and tags have one home, and the template's hook accepts nothing that the kit refuses."""

import ast
import re

import pytest

from kit.tests.places import KIT, SOURCES
from sagemaker_project_kit.names import OWNER_VALUE, PROJECT_NAME_LENGTH, is_name

HOOK = KIT.parent / "hooks" / "pre_gen_project.py"
TEXTS = [
    "a",
    "A9",
    "a-b",
    "a--b",
    "-a",
    "a-",
    "",
    "a_b",
    "ä",
    "a b",
    "x" * 32,
    "x" * 33,
    "a.b",
    "1",
    "x" * 256,
    "x" * 257,
]
TEXTS += ["Data Science", "CC-42", 'a "b"', "a;b", "team@example.com", "a/b:c=d+e", "a\nb"]


def hook_pattern(name: str) -> re.Pattern[str]:
    """A pattern of the hook, which Cookiecutter renders: it cannot be imported."""
    assigned = [node for node in ast.parse(HOOK.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
    calls = [node.value for node in assigned if isinstance(node.targets[0], ast.Name) and node.targets[0].id == name]
    (call,) = (each for each in calls if isinstance(each, ast.Call))
    return re.compile(ast.literal_eval(call.args[0]))


@pytest.mark.parametrize("text", TEXTS)
def test_what_the_hook_accepts_the_kit_accepts(text: str) -> None:
    assert bool(hook_pattern("TAG_VALUE").fullmatch(text)) == bool(OWNER_VALUE.fullmatch(text))
    if hook_pattern("SLUG").fullmatch(text) and len(text) <= PROJECT_NAME_LENGTH:
        assert is_name(text, PROJECT_NAME_LENGTH)


@pytest.mark.parametrize("text", ["a", "a-b", "a--b9", "x" * 32])
def test_names(text: str) -> None:
    assert is_name(text, 32)


@pytest.mark.parametrize("text", ["", "-a", "a-", "a_b", "ä", "x" * 33, "a b"])
def test_no_names(text: str) -> None:
    assert not is_name(text, 32)


@pytest.mark.parametrize("part", ["(-*[a-zA-Z0-9])", r"[\w .:/=+"])
def test_no_other_file_has_the_patterns(part: str) -> None:
    holders = [path.name for path in SOURCES.rglob("*.py") if part in path.read_text(encoding="utf-8")]
    assert holders == ["names.py"]
