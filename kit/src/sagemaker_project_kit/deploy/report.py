"""What verify found, for people and machines: junit.xml (CodeBuild shows it), summary.md, summary.json, a table."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table
from rich.text import Text

Outcome = Literal["passed", "failed", "skipped"]
_STYLE = {"passed": "green", "failed": "bold red", "skipped": "yellow"}
_MARK = {"passed": "✓", "failed": "✗", "skipped": "-"}
# What XML 1.0 cannot hold: a server's answer may contain anything.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Result:
    """One check: `group` and `name` say what must hold, `detail` what was found."""

    group: str
    name: str
    outcome: Outcome
    seconds: float
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """All checks of one stage. `facts`: figures worth keeping, such as latencies."""

    stage: str
    subject: str
    started: datetime
    results: Sequence[Result]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> list[Result]:
        return [result for result in self.results if result.outcome == "failed"]

    @property
    def seconds(self) -> float:
        return sum(result.seconds for result in self.results)

    @property
    def verdict(self) -> str:
        """One sentence."""
        count = len(self.results)
        if not self.failed:
            skipped = sum(1 for result in self.results if result.outcome == "skipped")
            return f"{self.stage}: {self.subject} passed {count - skipped} checks" + (
                f", {skipped} were skipped" if skipped else ""
            )
        first = self.failed[0]
        return f"{self.stage}: {self.subject} failed {len(self.failed)} of {count} checks; {first.name}: {first.detail}"


def write(report: Report, folder: Path) -> None:
    """Write the three files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "junit.xml").write_bytes(junit(report))
    (folder / "summary.md").write_text(markdown(report), encoding="utf-8")
    content = {
        "stage": report.stage,
        "subject": report.subject,
        "started": report.started.isoformat(timespec="seconds"),
        "seconds": round(report.seconds, 3),
        "passed": not report.failed,
        "checks": [asdict(result) for result in report.results],
        **report.facts,
    }
    (folder / "summary.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def junit(report: Report) -> bytes:
    """One test suite, one case a check."""
    counts = {
        "tests": str(len(report.results)),
        "failures": str(len(report.failed)),
        "errors": "0",
        "skipped": str(sum(1 for result in report.results if result.outcome == "skipped")),
        "time": f"{report.seconds:.3f}",
    }
    suites = ElementTree.Element("testsuites", counts)
    when = report.started.isoformat(timespec="seconds")
    suite = ElementTree.SubElement(suites, "testsuite", {"name": f"verify {report.stage}", "timestamp": when, **counts})
    for result in report.results:
        _add_case(suite, report.stage, result)
    ElementTree.indent(suites)
    return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True))


def _add_case(suite: ElementTree.Element, stage: str, result: Result) -> None:
    labels = {"classname": f"{stage}.{result.group}", "name": result.name, "time": f"{result.seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", labels)
    detail = _NOT_XML.sub("�", result.detail)
    if result.outcome == "failed":
        ElementTree.SubElement(case, "failure", {"message": detail}).text = detail
    elif result.outcome == "skipped":
        ElementTree.SubElement(case, "skipped", {"message": detail})
    elif detail:
        ElementTree.SubElement(case, "system-out").text = detail


def markdown(report: Report) -> str:
    """A summary to read in a pull request or a chat."""
    lines = [f"# {report.stage}: {'failed' if report.failed else 'passed'}", "", report.verdict, ""]
    lines += ["| | check | found | s |", "|---|---|---|---:|"]
    for result in report.results:
        detail = result.detail.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {_MARK[result.outcome]} | {result.group}: {result.name} | {detail} | {result.seconds:.2f} |")
    return "\n".join(lines) + "\n"


def show(report: Report, console: Console) -> None:
    """Print a table and the verdict."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "check", "found"):
        table.add_column(name, overflow="fold")
    table.add_column("s", justify="right")
    for result in report.results:
        mark = Text(_MARK[result.outcome], style=_STYLE[result.outcome])
        check = Text.assemble((f"{result.group} ", "dim"), result.name)
        table.add_row(mark, check, Text(result.detail), f"{result.seconds:.2f}")
    console.print(table)
    console.print(Text(report.verdict, style="bold red" if report.failed else "bold green"))
