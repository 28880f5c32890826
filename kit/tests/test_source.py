"""The kit as source: what is written installs as what was installed, and nobody's patches are overwritten."""

import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from kit.tests.places import KIT
from sagemaker_project_kit import source


def test_it_installs_as_the_same_version_with_the_same_extras() -> None:
    ours = tomllib.loads((KIT / "pyproject.toml").read_text(encoding="utf-8"))
    written = tomllib.loads(source.project_file(metadata.distribution(source.NAME)))
    assert written["build-system"] == ours["build-system"]
    assert written["tool"] == ours["tool"]
    for key in ("name", "version", "requires-python"):
        assert written["project"][key] == ours["project"][key]
    normal = [
        {extra: sorted(text.replace(" ", "").replace('"', "'") for text in texts) for extra, texts in extras.items()}
        for extras in (each["project"]["optional-dependencies"] for each in (written, ours))
    ]
    assert normal[0] == normal[1]


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "patched.py").write_text("mine", encoding="utf-8")
    assert source.main([str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["patched.py"]
    assert "was there already and is left as it is" in capsys.readouterr().out


def test_a_kit_that_is_no_wheel_has_nothing_to_unpack(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Here it is installed from its source."""
    assert source.main([str(tmp_path / "new")]) == 1
    assert "not installed from a wheel" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
