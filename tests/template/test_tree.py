"""What a bake consists of: nothing stray, two rendered files, paths that every system takes, a README that is right."""

import re
from pathlib import Path, PurePosixPath

import pytest

from scripts.bake import ROOT
from tests.baking import PROJECT_FOLDER, RENDERED, Baker, files_below

STRAY = {
    "__pycache__",
    ".venv",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".local",
    "runs",
    "build",
    ".hypothesis",
}
FORBIDDEN_ON_WINDOWS = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)


def test_only_two_files_are_rendered(baker: Baker, project_folder: Path) -> None:
    project = baker.bake()
    assert project.files() == files_below(project_folder)
    changed = {
        name for name in project.files() if (project.path / name).read_bytes() != (project_folder / name).read_bytes()
    }
    assert changed == RENDERED


def test_no_jinja_anywhere_else(project_folder: Path) -> None:
    mentions = {name for name in files_below(project_folder) - RENDERED if mentions_cookiecutter(project_folder / name)}
    assert not mentions


def mentions_cookiecutter(path: Path) -> bool:
    """Whether a text file looks as if Cookiecutter had something to fill in."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return bool(re.search(r"\{\{-? *cookiecutter|\{%-? ", text))


def test_nothing_is_left_to_fill_in(baker: Baker) -> None:
    project = baker.bake()
    assert not {name for name in RENDERED if "{{" in project.read(name) or "{%" in project.read(name)}


def test_nothing_stray_comes_along(baker: Baker) -> None:
    assert not {name for name in baker.bake().files() if STRAY & set(PurePosixPath(name).parts)}


def test_every_path_is_legal_on_windows_and_short(project_folder: Path) -> None:
    names = files_below(project_folder)
    assert not [name for name in names if any(FORBIDDEN_ON_WINDOWS.search(part) for part in name.split("/"))]
    assert len({name.lower() for name in names}) == len(names)
    assert not [name for name in names if len("x" * 32 + "/" + name) > 120]


def test_the_repository_itself_can_be_checked_out_on_windows(template: Path) -> None:
    assert not [
        name for name in files_below(template) if any(FORBIDDEN_ON_WINDOWS.search(part) for part in name.split("/"))
    ]


def tree_in(readme: str) -> list[str]:
    """The first column of the block that follows the comment `tree`."""
    block = re.search(r"<!-- tree -->\n```\n(.*?)```", readme, re.DOTALL)
    assert block, "the README has no tree"
    return [line.split()[0].rstrip("/") for line in block[1].splitlines()]


def test_the_tree_in_the_readme_is_the_tree(baker: Baker) -> None:
    project = baker.bake()
    assert sorted(tree_in(project.read("README.md"))) == sorted(path.name for path in project.path.iterdir())


@pytest.mark.parametrize("lock", [ROOT / "requirements.lock", ROOT / PROJECT_FOLDER / "requirements.lock"])
def test_a_lock_has_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    pins = re.findall(r"^\S+==\S+.*(?:\n    --hash=.*)*", text, re.MULTILINE)
    assert len(pins) > 100
    assert not [pin for pin in pins if "--hash=sha256:" not in pin]
    assert not re.search(r"://|--(extra-)?index-url|--find-links| @ ", text)


def test_files_have_unix_line_ends(project_folder: Path) -> None:
    texts = {name for name in files_below(project_folder) if not name.endswith(".whl")}
    assert not {name for name in texts if b"\r\n" in (project_folder / name).read_bytes()}


def test_the_changed_slug_reaches_no_path(baker: Baker, project_folder: Path) -> None:
    assert baker.bake(project_slug="Other-9").files() == files_below(project_folder)
