"""The buildspec calls make targets, shows CodeBuild the reports that they write, and keeps what saves time."""

from typing import Any

import pytest
import yaml

from kit.tests.places import PROJECT


@pytest.fixture(scope="module")
def buildspec() -> dict[str, Any]:
    content = yaml.safe_load((PROJECT / "model_build" / "buildspec.yml").read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_commands_are_make_targets(buildspec: dict[str, Any]) -> None:
    commands = [line for phase in buildspec["phases"].values() for line in phase["commands"]]
    assert all(line.startswith("make ") and not set("&|;") & set(line) for line in commands)


def test_nothing_trains_before_checks_and_tests_have_passed(buildspec: dict[str, Any]) -> None:
    *before, last = buildspec["phases"]["build"]["commands"]
    assert last == "make train"
    assert {"check", "test-build"} <= {word for line in before for word in line.split()}
    assert not any("-i" in line.split() or "--ignore-errors" in line.split() for line in before)


def test_reports_are_where_the_tests_write_them(buildspec: dict[str, Any]) -> None:
    (group,) = buildspec["reports"].values()
    assert group == {"files": ["*.xml"], "base-directory": "build/tests", "file-format": "JUNITXML"}
    assert "--junit-xml=build/tests/$@.xml" in (PROJECT / "Makefile").read_text(encoding="utf-8")


def test_what_tools_remember_is_kept(buildspec: dict[str, Any]) -> None:
    kept = buildspec["cache"]["paths"]
    assert all(path.endswith("/**/*") for path in kept)  # CodeBuild's local cache takes folders only
    folders = {name: value for name, value in buildspec["env"]["variables"].items() if name.endswith("_CACHE_DIR")}
    assert set(folders) == {"MYPY_CACHE_DIR", "UV_CACHE_DIR"}
    assert {f"{folder}/**/*" for folder in folders.values()} <= set(kept)
