"""A project follows its template: from the last kit to this one, and from before the kit (docs/upgrading.md)."""

import fnmatch
import importlib.util
import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from scripts import kit
from scripts.bake import ROOT
from tests.baking import PROJECT_FOLDER, Baker, Shell, files_below
from tests.template.test_git import cruft, replace, repository

__all__ = ["repository"]  # a fixture

BEFORE_THE_KIT = "1873ef9"
LAST = "0.0.9"  # stands for the version of the last kit
DOCUMENT = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")


def lines_added(path: Path, *lines: str) -> None:
    """As a person appends them."""
    path.write_text(path.read_text(encoding="utf-8") + "\n".join([*lines, ""]), encoding="utf-8")


# --- from the last kit -----------------------------------------------------------------------------------------------


def put_last_kit(template: Path, scratch: Path) -> None:
    """Make a copy of the template one that carries an older kit: wheel, pins and hashes."""
    source = scratch / "kit"
    shutil.copytree(template / "kit", source)
    (pyproject,) = (source / "pyproject.toml",)
    version = re.search(r'(?m)^version = "(.*)"', pyproject.read_text(encoding="utf-8"))
    assert version
    replace(pyproject, f'version = "{version[1]}"', f'version = "{LAST}"')
    replace(source / "src" / "sagemaker_project_kit" / "__init__.py", f'"{version[1]}"', f'"{LAST}"')
    project = template / PROJECT_FOLDER
    for wheel in (project / "vendor").iterdir():
        wheel.unlink()
    wheel = kit.build(project / "vendor", source)
    replace(project / "pyproject.toml", f"]=={version[1]}", f"]=={LAST}")
    lock = project / "requirements.lock"
    replace(lock, f"sagemaker-project-kit=={version[1]}", f"sagemaker-project-kit=={LAST}")
    lock.write_text(kit.pin(lock, wheel), encoding="utf-8")


def work_of_a_team(project: Path) -> set[str]:
    """Edits in what a team owns; returns the files that it touched or made."""
    replace(project / "project.toml", "threshold = 0.80", "threshold = 0.75")
    replace(project / "pyproject.toml", '    "pre-commit==', '    "freezegun==1.5.5",\n    "pre-commit==')
    lines_added(project / "model_build" / "pipeline.py", "", "", "OURS = 1")
    lines_added(project / "model_build" / "__init__.py", "# ours")
    lines_added(project / "README.md", "Ours.")
    lines_added(project / "Makefile", "", "ours:", "\techo ours")
    replace(project / "model_deploy" / "config" / "prod.json", "{", "{\n")
    (project / "model_build" / "rows.py").write_text('"""Ours."""\n')
    (project / "data" / "mine.csv").write_text("a,b\n1,2\n")
    (project / "tests" / "test_rows.py").write_text('"""Ours."""\n')
    edited = {"project.toml", "pyproject.toml", "model_build/pipeline.py", "model_build/__init__.py", "README.md"}
    edited |= {"Makefile", "model_deploy/config/prod.json"}
    return edited | {"model_build/rows.py", "data/mine.csv", "tests/test_rows.py"}


@pytest.mark.bake
def test_from_the_last_kit_to_this_one(repository: Path, template: Path, shell: Shell, tmp_path: Path) -> None:
    put_last_kit(repository, tmp_path / "scratch")
    shell.commit_all(repository, "the last kit")
    cruft(shell, "create", repository.as_uri(), "--no-input")
    project = shell.folder / "customer-churn"
    assert [path.name.split("-")[1] for path in (project / "vendor").iterdir()] == [LAST]
    touched = work_of_a_team(project)
    shell.commit_all(project, "ours")
    before = {name: (project / name).read_bytes() for name in touched}

    for name in files_below(repository / PROJECT_FOLDER):
        (repository / PROJECT_FOLDER / name).unlink()
    shutil.copytree(template / PROJECT_FOLDER, repository / PROJECT_FOLDER, dirs_exist_ok=True)
    shell.commit_all(repository, "this kit")
    cruft(shell, "update", "-y", folder=project)

    assert not list(project.rglob("*.rej"))
    assert "<<<<<<<" not in shell.do("git", "diff", "HEAD", folder=project)
    changed = set(shell.do("git", "diff", "HEAD", "--name-only", "--no-renames", folder=project).split())
    wheels = {name for name in changed if name.startswith("vendor/")}
    assert changed - wheels == {".cruft.json", "pyproject.toml", "requirements.lock"}
    assert [path.read_bytes() for path in (project / "vendor").iterdir()] == [
        path.read_bytes() for path in (template / PROJECT_FOLDER / "vendor").iterdir()
    ]
    assert {name for name in touched if (project / name).read_bytes() != before[name]} == {"pyproject.toml"}
    assert "freezegun" in (project / "pyproject.toml").read_text(encoding="utf-8")
    shell.do("make", ".venv/local.installed", folder=project)
    shell.do("make", "models", folder=project)


# --- from before the kit ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def before_the_kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template of that commit, from this repository's own history."""
    done = subprocess.run(["git", "archive", BEFORE_THE_KIT], cwd=ROOT, capture_output=True)
    if done.returncode:
        pytest.fail(
            f"Commit {BEFORE_THE_KIT} is not in this clone ({done.stderr.decode().strip()}): it is shallow, or no git "
            "repository. Type git fetch --unshallow; in CI, check out with the whole history.",
            pytrace=False,
        )
    folder = tmp_path_factory.mktemp(BEFORE_THE_KIT)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def rows_of_the_document() -> list[tuple[list[str], str]]:
    """What was where, as patterns of paths, and where it is now."""
    table = DOCUMENT.split("| before | now |")[1].split("\n\n")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
    return [(re.findall(r"`([^`]+)`", before), "".join(re.findall(r"`([^`]+)`", now))) for before, now in rows]


def test_the_document_says_of_everything_where_it_is_now(before_the_kit: Path, project_folder: Path) -> None:
    gone = files_below(before_the_kit / PROJECT_FOLDER) - files_below(project_folder)
    patterns = [pattern for before, _ in rows_of_the_document() for pattern in before]
    assert not {name for name in gone if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns)}
    assert not [pattern for pattern in patterns if not fnmatch.filter(gone, pattern)]


def test_what_the_document_points_to_is_there(project_folder: Path) -> None:
    for _, now in rows_of_the_document():
        if now.startswith("sagemaker_project_"):
            assert importlib.util.find_spec(now), now
        elif now:
            assert (project_folder / now).is_file(), now


@pytest.mark.bake
def test_from_before_the_kit(before_the_kit: Path, template: Path, shell: Shell, tmp_path: Path) -> None:
    """A team's project of that commit, brought over with the commands of the document and nothing else."""
    repository = Path(shutil.copytree(before_the_kit, tmp_path / "template.git"))
    shell.commit_all(repository, "before the kit")
    cruft(shell, "create", repository.as_uri(), "--no-input")
    project = shell.folder / "customer-churn"
    replace(project / "project.toml", "threshold = 0.80", "threshold = 0.75")
    shutil.copy(project / "data" / "churn.csv", project / "data" / "mine.csv")
    replace(project / "project.toml", 'source = "data/churn.csv"', 'source = "data/mine.csv"')
    types = ("instance_type=self.parameters.processing_instance", 'instance_type="ml.r5.2xlarge"')
    replace(project / "model_build" / "training.py", *types)
    (project / "model_build" / "steps" / "ours.py").write_text('"""What the team added."""\n\nROWS = 7\n')
    (project / "tests" / "model_build" / "steps" / "test_ours.py").write_text(
        '"""Of the team."""\n\nfrom model_build.steps.ours import ROWS\n\n\n'
        "def test_rows() -> None:\n    assert ROWS == 7\n"
    )
    shell.commit_all(project, "ours")

    for path in repository.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(template, repository, dirs_exist_ok=True)
    shell.commit_all(repository, "the kit")
    update, green = re.search(r"```sh\n(cruft update)\n(make .*)\n```", DOCUMENT).groups()  # type: ignore[union-attr]
    cruft(shell, *update.split()[1:], "-y", folder=project)
    follow_the_list(project)

    assert not list(project.rglob("*.rej"))
    assert not (project / "local").exists()
    assert "ml.r5.2xlarge" in shell.do("make", "golden", folder=project)
    text = shell.do(*green.split(), folder=project)
    assert "test_ours.py" in text
    assert (project / ".local" / "registry").is_dir()


def follow_the_list(project: Path) -> None:
    """What this team's edits need: point 1, its own module is a package's; point 5, its step, by README's recipe."""
    steps = project / "model_build" / "steps"
    assert {path.name for path in steps.iterdir()} == {"ours.py"}
    (steps / "__init__.py").write_text('"""Steps of our own."""\n')
    (project / "model_build" / "training.py").unlink()
    image = "        image=context.images.model,\n"
    replace(project / "model_build" / "pipeline.py", image, f'{image}        instance_type="ml.r5.2xlarge",\n')


def test_a_shallow_clone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the history the test above must fail with a sentence, and not be left out."""
    shell = Shell(tmp_path, tmp_path)
    (tmp_path / "file").write_text("")
    shell.commit_all(tmp_path, "all there is")
    monkeypatch.setattr("tests.template.test_upgrading.ROOT", tmp_path)
    with pytest.raises(pytest.fail.Exception, match="git fetch --unshallow"):
        before_the_kit.__wrapped__(None)  # type: ignore[attr-defined]


def test_what_can_be_baked_is_what_is_updated_to(template: Path, shell: Shell) -> None:
    """The update ends where a new project begins: nothing of the old machinery is left for a new file to shadow."""
    files = Baker(str(template), shell).bake().files()
    assert not {name for name in files if name.startswith("local/") or fnmatch.fnmatch(name, "model_deploy/*.py")}
