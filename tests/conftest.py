"""A clean copy of the template, and a baker that works in a folder of the test's own."""

import signal
from pathlib import Path

import pytest

from scripts.bake import ROOT, clean_copy
from tests.baking import PROJECT_FOLDER, Baker, Shell


def pytest_configure() -> None:
    """A shell starts its background jobs with Ctrl-C ignored, and a process hands that on; the tests press it."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git would take of the working tree; tests must not change it."""
    return clean_copy(tmp_path_factory.mktemp("clean") / "template", ROOT)


@pytest.fixture(scope="session")
def project_folder(template: Path) -> Path:
    """The template folder in it, unrendered."""
    return template / PROJECT_FOLDER


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Commands run in an empty folder."""
    folders = Shell(tmp_path / "output", tmp_path / "home")
    folders.folder.mkdir()
    folders.home.mkdir()
    return folders


@pytest.fixture
def baker(template: Path, shell: Shell) -> Baker:
    """Bakes the working tree into an empty folder."""
    return Baker(str(template), shell)
