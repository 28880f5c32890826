"""Test results in JUnit's XML as the reports of CodeBuild tell them.

It reads counts and the name, status and time of each case; output of the tests stays in the file.
"""

from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree


class ReportError(Exception):
    """A file is no JUnit XML."""


@dataclass(frozen=True)
class Case:
    """One test. `status`: SUCCEEDED, FAILED, ERROR or SKIPPED."""

    name: str
    prefix: str
    status: str
    seconds: float
    message: str = ""


@dataclass
class Results:
    """The cases of one report."""

    cases: list[Case] = field(default_factory=list)

    @property
    def status(self) -> str:
        """SUCCEEDED if no test failed."""
        return "FAILED" if any(case.status in ("FAILED", "ERROR") for case in self.cases) else "SUCCEEDED"

    def counts(self) -> dict[str, int]:
        """How many cases have each status."""
        statuses = [case.status for case in self.cases]
        return {status: statuses.count(status) for status in ("SUCCEEDED", "FAILED", "ERROR", "SKIPPED")}


def read(path: Path) -> list[Case]:
    """The cases in one file. Raises ReportError."""
    try:
        root = ElementTree.parse(path).getroot()  # noqa: S314 - written by a build of this machine
    except (ElementTree.ParseError, OSError) as error:
        raise ReportError(f"{path.name} is no JUnit XML: {error}") from None
    return [_case(element) for element in root.iter("testcase")]


def _case(element: ElementTree.Element) -> Case:
    status, message = "SUCCEEDED", ""
    for tag, name in (("skipped", "SKIPPED"), ("failure", "FAILED"), ("error", "ERROR")):
        found = element.find(tag)
        if found is not None:
            status, message = name, found.get("message") or ""
    return Case(element.get("name", ""), element.get("classname", ""), status, float(element.get("time") or 0), message)
