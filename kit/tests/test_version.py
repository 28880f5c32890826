"""A kit that is older or newer than the project says so in one sentence, before anything else."""

import shutil
import tomllib
from pathlib import Path

import pytest

import sagemaker_project_kit
from kit.tests.pipeline.conftest import TOML
from kit.tests.places import KIT, PROJECT
from sagemaker_project_kit.deploy.__main__ import main as deploy
from sagemaker_project_kit.local.__main__ import main as local
from sagemaker_project_kit.pipeline import __main__ as pipeline
from sagemaker_project_kit.pipeline import settings
from sagemaker_project_kit.version import KitVersionError, require_pinned


def pin(folder: Path, *versions: str) -> Path:
    """A project that pins these, a group each."""
    groups = [
        f'group-{number} = ["sagemaker-project-kit[deploy]=={version}"]' for number, version in enumerate(versions)
    ]
    (folder / "pyproject.toml").write_text("\n".join(["[dependency-groups]", *groups]), encoding="utf-8")
    return folder


def test_the_version_stands_once_for_pip_and_once_for_the_code() -> None:
    declared = tomllib.loads((KIT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert sagemaker_project_kit.__version__ == declared


def test_the_template_pins_this_kit() -> None:
    require_pinned(PROJECT)
    with pytest.raises(KitVersionError):
        require_pinned(PROJECT, "0.0.1")


@pytest.mark.parametrize("installed", ["0.2.9", "0.4.0"])
def test_an_older_or_newer_kit(tmp_path: Path, installed: str) -> None:
    sentence = (
        rf"asks for version 0\.3\.0 of sagemaker-project-kit, and {installed} is installed: type make clean install"
    )
    with pytest.raises(KitVersionError, match=sentence):
        require_pinned(pin(tmp_path, "0.3.0", "0.3.0"), installed)


def test_two_pins_can_not_both_be_right(tmp_path: Path) -> None:
    with pytest.raises(KitVersionError, match=r"version 0\.2\.0 and 0\.3\.0"):
        require_pinned(pin(tmp_path, "0.3.0", "0.2.0"), "0.3.0")


def test_who_pins_nothing_takes_what_is_there(tmp_path: Path) -> None:
    require_pinned(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[dependency-groups]\nkit = ["sagemaker-project-kit>=0.2"]\n')
    require_pinned(tmp_path)


def test_every_part_looks_before_it_does_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where project.toml is of that other version: its new keys are not told one by one."""
    (pin(tmp_path, "9.0.0") / "project.toml").write_text("[news]\nkey = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "ROOT", tmp_path)
    for part, words in ((pipeline.main, ["show"]), (deploy, ["release", "--local"]), (local, ["registry", "list"])):
        assert part(words) != 0
        said = capsys.readouterr().err
        assert "asks for version 9.0.0 of sagemaker-project-kit" in said
        assert "news" not in said


def read(folder: Path, addition: str) -> list[str]:
    """The problems with a project.toml that has one more line in [evaluate]."""
    (folder / "project.toml").write_text(TOML + addition + "\n", encoding="utf-8")
    shutil.copytree(PROJECT / "model_build", folder / "model_build", dirs_exist_ok=True)
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "customers.csv").write_text("tenure,churn\n1,Yes\n", encoding="utf-8")
    with pytest.raises(settings.SettingsError) as caught:
        settings.load(folder, {})
    return caught.value.problems


def test_a_key_of_a_newer_kit(tmp_path: Path) -> None:
    (told,) = read(tmp_path, "fairness = true")
    assert told.startswith("project.toml [evaluate] fairness: unknown key; allowed: metric, ")
    newer = f"(a newer kit than {sagemaker_project_kit.__version__} may know it)"
    assert told.endswith(newer)
    (told,) = read(tmp_path, "treshold = true")
    assert told == "project.toml [evaluate] treshold: unknown key; did you mean 'threshold'?"


def test_a_key_that_a_newer_kit_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DROPPED, "evaluate.limit", "write it as threshold")
    (told,) = read(tmp_path, "limit = 0.8")
    version = sagemaker_project_kit.__version__
    dropped = f"version {version} of the kit has dropped this key: write it as threshold"
    assert told == f"project.toml [evaluate] limit: {dropped}"


def test_what_was_dropped_is_not_known_any_more() -> None:
    assert not [key for key in settings.DROPPED if key.rpartition(".")[2] in settings._known_keys(key.split(".")[:-1])]
