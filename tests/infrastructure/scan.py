"""The scanners over folders of templates; prints what they found as JSON. Runs in the scanners' own environment.

    python scan.py lint FOLDER       cfn-lint (errors, warnings, information) and cloudformation-validate (from WARN up)
    python scan.py checkov FOLDER    checkov, on templates that are already resolved

cloudformation-validate's level INFO is left out: which properties are create-only, that tags come from the stack, and
that a Metadata block of its own is missing.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Finding = dict[str, str]


def _cfn_lint(path: Path) -> Iterator[Finding]:
    from cfnlint.api import ManualArgs, lint

    text = path.read_text(encoding="utf-8")
    for match in lint(text, config=ManualArgs(include_checks=["I"])):
        where = "/".join(str(part) for part in getattr(match, "path", None) or [])
        yield _finding("cfn-lint", path, match.rule.id, where, match.message)


def _validate(path: Path, engine: Any) -> Iterator[Finding]:
    for found in engine.validate_template(str(path)).diagnostics:
        if found.severity.name not in ("INFO", "DEBUG"):
            where = str(getattr(found, "property_path", None) or getattr(found, "path", "") or "")
            yield _finding("cloudformation-validate", path, found.rule_id, where, str(found.message))


def _lint(folder: Path) -> Iterator[Finding]:
    from cloudformation_validate import CompositeEngine  # type: ignore[import-not-found]

    engine = CompositeEngine()
    for path in sorted(folder.glob("*.yaml")):
        yield from _cfn_lint(path)
        yield from _validate(path, engine)


def _checkov(folder: Path) -> Iterator[Finding]:
    from checkov.cloudformation.runner import Runner  # type: ignore[import-not-found]
    from checkov.runner_filter import RunnerFilter  # type: ignore[import-not-found]

    report = Runner().run(root_folder=str(folder), runner_filter=RunnerFilter(framework=["cloudformation"]))
    for error in report.parsing_errors:
        yield _finding("checkov", Path(error), "parsing", "", "cannot be read")
    for record in report.failed_checks + report.skipped_checks:
        yield _finding("checkov", Path(record.file_path), record.check_id, record.resource, record.check_name)
    print(f"checkov: {len(report.passed_checks)} passed", file=sys.stderr)


def _finding(tool: str, path: Path, rule: str, where: str, message: str) -> Finding:
    return {"tool": tool, "file": path.name, "rule": rule, "where": where, "message": message[:300]}


if __name__ == "__main__":
    scanners = {"lint": _lint, "checkov": _checkov}
    json.dump(list(scanners[sys.argv[1]](Path(sys.argv[2]))), sys.stdout)
