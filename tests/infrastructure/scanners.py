"""Runs scan.py in the scanners' environment, which make builds, and takes out what is waived."""

import json
import os
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.infrastructure import stages

Finding = Mapping[str, str]
_HERE = Path(__file__).parent
_BIN = "Scripts" if os.name == "nt" else "bin"
PYTHON = stages.ROOT / ".venv" / "scanners" / _BIN / "python"


@dataclass(frozen=True)
class Waiver:
    """A finding that stays, and why."""

    tool: str
    file: str
    rule: str
    where: str
    reason: str

    def matches(self, finding: Finding) -> bool:
        same = (finding["tool"], finding["file"], finding["rule"]) == (self.tool, self.file, self.rule)
        return same and self.where in f"{finding['where']} {finding['message']}"


def waivers() -> list[Waiver]:
    """waivers.toml."""
    return [Waiver(**each) for each in tomllib.loads((_HERE / "waivers.toml").read_text("utf-8")).get("waiver", [])]


def scan(kind: str, folder: Path) -> list[Finding]:
    """Everything that the scanners of a kind (lint, checkov) find in a folder."""
    assert PYTHON.exists(), f"the scanners are not installed ({PYTHON} is missing): run `make check` or `make test`"
    command = [str(PYTHON), str(_HERE / "scan.py"), kind, str(folder)]
    environment = os.environ | {"PYTHONUTF8": "1", "CHECKOV_RUN_SCA_PACKAGE_SCAN_V2": "false", "LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environment)
    assert done.returncode == 0, done.stderr
    found: list[Finding] = json.loads(done.stdout)
    return found


def unwaived(findings: Sequence[Finding]) -> list[Finding]:
    """What must be mended."""
    known = waivers()
    return [finding for finding in findings if not any(waiver.matches(finding) for waiver in known)]
