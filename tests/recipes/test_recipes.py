"""Each recipe of a project's README, performed on a fresh bake as it stands there; checks, tests and a run follow."""

import csv
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import recipes
from scripts.bake import ROOT, bake
from scripts.project import Project
from scripts.recipes import Recipe

RECIPES = recipes.read((ROOT / "{{cookiecutter.project_slug}}" / "README.md").read_text(encoding="utf-8"))
Look = Callable[[Path], Any]


def test_every_recipe_is_performed() -> None:
    assert [recipe.title for recipe in RECIPES] == list(CASES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_touches_two_files_at_most(recipe: Recipe) -> None:
    assert 1 <= len(recipe.files) <= 2


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_fits_the_project(project_folder: Path, tmp_path: Path, recipe: Recipe) -> None:
    """Its lines are there, and what it writes is in style: seen without installing anything."""
    folder = shutil.copytree(project_folder, tmp_path / "project")
    recipe.apply(folder)
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--no-cache", "."], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One bake, committed."""
    project = Project(bake(tmp_path_factory.mktemp("recipes"), project_slug="recipes"))
    git(project, "init", "--quiet")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "As it was baked")
    return project


@pytest.fixture
def project(baked: Project) -> Project:
    """The bake as it was, with nothing of the recipe before but what make installed."""
    git(baked, "checkout", "--quiet", "--force", "HEAD", "--", ".")
    git(baked, "clean", "--quiet", "-dfx", "--exclude", ".venv", "--exclude", ".mypy_cache")
    return baked


def git(project: Project, *words: str) -> None:
    person = ["-c", "user.name=A Person", "-c", "user.email=person@example.com"]
    subprocess.run(["git", *person, *words], cwd=project.path, check=True)


def a_new_column(folder: Path) -> None:
    """data/churn.csv with a column of postcodes."""
    file = folder / "data" / "churn.csv"
    head, *rows = csv.reader(file.read_text(encoding="utf-8").splitlines())
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([["postcode", *head], *([10115 + n % 7, *row] for n, row in enumerate(rows))])


def a_database(folder: Path) -> None:
    """customers.db with the rows of data/churn.csv."""
    head, *rows = csv.reader((folder / "data" / "churn.csv").read_text(encoding="utf-8").splitlines())
    with sqlite3.connect(folder / "customers.db") as connection:
        connection.execute(f"CREATE TABLE customers ({', '.join(head)})")
        places = ", ".join("?" * len(head))
        connection.executemany(f"INSERT INTO customers VALUES ({places})", rows)  # noqa: S608


def nothing(_: Path) -> None:
    """There is nothing to prepare."""


def written(folder: Path, path: str) -> Any:
    """What a step of the newest run left: Step/output/file.json."""
    return json.loads((folder / "runs" / "latest" / "outputs" / path).read_text(encoding="utf-8"))


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = written(folder, "Preprocess/summary/summary.json")
    return found


def columns(folder: Path) -> dict[str, Any]:
    return {column["name"]: column for column in summary(folder)["columns"]}


def gate(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = written(folder, "Evaluate/evaluation/gate.json")
    return found


def parameters(folder: Path) -> dict[str, Any]:
    definition = json.loads((folder / "build" / "definition.json").read_text(encoding="utf-8"))
    return {each["Name"]: each.get("DefaultValue") for each in definition["Parameters"]}


# What is there before a recipe, where to look after it, and what must be seen there.
CASES: dict[str, tuple[Callable[[Path], None], Look, Any]] = {
    "Another column": (
        a_new_column,
        lambda folder: (columns(folder)["postcode"]["kind"], columns(folder)["dependents"]["role"]),
        ("categorical", "dropped"),
    ),
    "Another feature": (nothing, lambda folder: columns(folder)["monthly_mean"]["role"], "derived"),
    "Another metric": (
        nothing,
        lambda folder: (gate(folder)["metric"], gate(folder)["direction"]),
        ("cost", "minimize"),
    ),
    "Another model": (nothing, lambda folder: written(folder, "Evaluate/evaluation/model.json")["name"], "sklearn"),
    "Another step": (nothing, lambda folder: set(written(folder, "Balance/balance/balance.json")), {"0", "1"}),
    "Another data source": (a_database, lambda folder: summary(folder)["file"], "customers.csv"),
    "More memory or instances": (nothing, lambda folder: parameters(folder)["TrainingInstanceType"], "ml.m5.4xlarge"),
}


@pytest.mark.bake
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.title)
def test_a_recipe_leads_where_it_says(project: Project, recipe: Recipe) -> None:
    prepare, look, expected = CASES[recipe.title]
    prepare(project.path)
    recipe.apply(project.path)
    project.make("install")
    for line in recipe.typed:
        subprocess.run(line.split(), cwd=project.path, check=True)
    for verbs in (["golden"], ["check", "test", "run"]):
        code, text = project.output(*verbs)
        assert code == 0, text
    assert look(project.path) == expected
