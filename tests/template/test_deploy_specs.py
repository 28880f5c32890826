"""The buildspecs call make targets, run Python 3.12, and show CodeBuild the reports that verify writes."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.tests.places import PROJECT

FILES = ("buildspec.yml", "verify.yml", "confirm.yml")
# No program can set a variable of the shell that started it, and the pipeline needs to know whether it waits.
VARIABLES = ". build/release/variables.sh"


def buildspec(name: str) -> dict[str, Any]:
    content = yaml.safe_load((PROJECT / "model_deploy" / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("name", FILES)
def test_commands_are_make_targets(name: str) -> None:
    found = [line for phase in buildspec(name)["phases"].values() for line in phase.get("commands", [])]
    assert [line for line in found if not line.startswith("make ")] == ([VARIABLES] if name == "buildspec.yml" else [])
    for line in found:
        assert "&&" not in line
        assert "|" not in line


@pytest.mark.parametrize("name", FILES)
def test_runtime_and_cache(name: str) -> None:
    content = buildspec(name)
    assert content["version"] == 0.2
    assert content["phases"]["install"]["runtime-versions"] == {"python": "3.12"}
    assert content["cache"]["paths"] == ["/root/.cache/uv/**/*", "/root/.cache/pip/**/*"]


def test_exported_variables_are_those_that_release_writes() -> None:
    exported = buildspec("buildspec.yml")["env"]["exported-variables"]
    assert exported == ["RELEASE_STATUS", "MODEL_PACKAGE_ARN"]


def test_reports_are_where_verify_writes_them() -> None:
    (group,) = buildspec("verify.yml")["reports"].values()
    assert group == {"files": ["**/junit.xml"], "base-directory": "build/verify", "file-format": "JUNITXML"}
    assert Path(group["base-directory"]) == Path("build") / "verify"
