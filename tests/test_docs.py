"""The documents say what is true: questions, verbs, links and trees are held against the code."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = ROOT / "{{cookiecutter.project_slug}}"
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *PROJECT.glob("*.md"), *PROJECT.glob("data/*.md")]


def questions() -> dict[str, str]:
    """Key → question, as Cookiecutter asks them."""
    asked: dict[str, str] = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))["__prompts__"]
    return asked


def test_options_lists_every_question_and_no_other() -> None:
    rows = re.findall(r"^\| (.+?) \| `(\w+)` \|", (ROOT / "docs" / "options.md").read_text(encoding="utf-8"), re.M)
    assert [key for _, key in rows] == list(questions())
    for question, key in rows:
        assert questions()[key].startswith(question.rstrip("?")), f"{key} is asked as {questions()[key]!r}"


def test_defaults_are_those_that_cookiecutter_offers() -> None:
    answers = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    plain = {key: value for key, value in answers.items() if not key.startswith("_") and "{{" not in value}
    assert all(f"| `{key}` | {value} |" in text for key, value in plain.items())


def verbs(makefile: Path) -> set[str]:
    """The targets of a Makefile that have a help text."""
    return set(re.findall(r"^([a-z-]+):.*## ", makefile.read_text(encoding="utf-8"), re.M))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_verb_exists(document: Path) -> None:
    known = verbs(ROOT / "Makefile") | verbs(PROJECT / "Makefile")
    text = re.sub(r" +# .*", "", document.read_text(encoding="utf-8"))
    code = re.findall(r"`([^`\n]+)`|^((?:cd \S+ && )?make .*)$", text, re.M)
    named = {verb for inline, line in code for verb in re.findall(r"\bmake ([a-z-]+)", inline or line)}
    assert named <= known, f"{document.name} names verbs that no Makefile has"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", document.read_text(encoding="utf-8"))
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []


def test_the_tree_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = text.split("```\nmy-project/\n")[1].split("```")[0]
    folder, paths = "", []
    for line in tree.splitlines():
        name = re.sub(r"^[│├└─ ]+", "", line).split()[0]
        nested = line.startswith("│")
        folder = folder if nested else name
        paths.append(PROJECT / (folder + name if nested else name))
    assert len(paths) > 8
    assert [path for path in paths if not path.exists()] == []
