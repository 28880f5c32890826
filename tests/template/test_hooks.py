"""pre-commit, in the repository and in a project: no output of a notebook is committed, and nothing is downloaded."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from scripts.bake import ROOT
from tests.baking import PROJECT_FOLDER, Shell

NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": 7,
            "id": "a",
            "metadata": {},
            "outputs": [{"name": "stdout", "output_type": "stream", "text": ["a customer's name\n"]}],
            "source": ["print(1)"],
        }
    ],
    "metadata": {"language_info": {"name": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture(params=[ROOT, ROOT / PROJECT_FOLDER], ids=["repository", "project"])
def repository(request: pytest.FixtureRequest, shell: Shell) -> Path:
    """A repository with that configuration, a notebook with an output, and this environment as its .venv."""
    folder = shell.folder
    shutil.copy(request.param / ".pre-commit-config.yaml", folder)
    (folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    (folder / "a notebook.ipynb").write_text(json.dumps(NOTEBOOK))
    shell.do("git", "init", "--quiet")
    shell.do("git", "add", "a notebook.ipynb", ".pre-commit-config.yaml")
    return folder


def test_outputs_are_stripped(repository: Path, shell: Shell) -> None:
    hook = [sys.executable, "-m", "pre_commit", "run", "notebooks", "--all-files"]
    first = shell.run(*hook)
    assert first.code == 1, first.text
    assert "files were modified by this hook" in first.text
    assert "customer" not in (repository / "a notebook.ipynb").read_text()
    shell.do("git", "add", "a notebook.ipynb")
    shell.do(*hook)


def test_every_hook_is_local(repository: Path) -> None:
    text = (repository / ".pre-commit-config.yaml").read_text()
    assert text.count("- repo: local") == text.count("repo:") == 1
    assert text.count("language: system") == text.count("- id:")
