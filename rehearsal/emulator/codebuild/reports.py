"""Report groups and reports: what the tests of a build said, as the Reports pages of CodeBuild show it."""

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rehearsal.emulator import permissions, seams
from rehearsal.emulator.codebuild import artifacts, junit
from rehearsal.emulator.codebuild.builds import Build
from rehearsal.emulator.codebuild.buildspec import Report as Wanted
from rehearsal.emulator.service import AwsError, Store, account, region

Document = dict[str, Any]
WRITING = ("CreateReport", "UpdateReport", "BatchPutTestCases")


@dataclass
class Group:
    """A report group."""

    name: str
    arn: str
    export: Document
    created: float = field(default_factory=time.time)
    tags: list[Document] = field(default_factory=list)

    def describe(self) -> Document:
        """As BatchGetReportGroups tells it."""
        times = {"created": self.created, "lastModified": self.created}
        own = {"arn": self.arn, "name": self.name, "type": "TEST", "exportConfig": self.export, "tags": self.tags}
        return {**own, **times, "status": "ACTIVE"}


@dataclass
class Report:
    """What one build added to a group."""

    arn: str
    group: str
    build: str
    results: junit.Results
    created: float = field(default_factory=time.time)

    def describe(self) -> Document:
        """As BatchGetReports tells it."""
        cases = self.results.cases
        summary = {"total": len(cases), "statusCounts": self.results.counts(),
                   "durationInNanoSeconds": sum(_nanoseconds(case) for case in cases)}  # fmt: skip
        own = {"arn": self.arn, "type": "TEST", "name": self.arn.rpartition("/")[2], "reportGroupArn": self.group}
        state = {"executionId": self.build, "status": self.results.status, "created": self.created, "truncated": False}
        return {**own, **state, "exportConfig": {"exportConfigType": "NO_EXPORT"}, "testSummary": summary}

    def describe_cases(self) -> list[Document]:
        """As DescribeTestCases tells them."""
        return [
            {"reportArn": self.arn, "name": case.name, "prefix": case.prefix, "status": case.status,
             "durationInNanoSeconds": _nanoseconds(case), "message": case.message}
            for case in self.results.cases
        ]  # fmt: skip


def _nanoseconds(case: junit.Case) -> int:
    return round(case.seconds * 1e9)


groups: Store[Group] = Store("report-groups")
reports: Store[Report] = Store("reports")


def find_group(arn: str) -> Group:
    """The group with an ARN. Raises AwsError."""
    group = groups.get(arn.rpartition("/")[2])
    if group is None:
        raise AwsError("ResourceNotFoundException", f"Report group {arn} does not exist")
    return group


def find(arn: str) -> Report:
    """The report with an ARN. Raises AwsError."""
    report = reports.get(arn)
    if report is None:
        raise AwsError("ResourceNotFoundException", f"Report {arn} does not exist")
    return report


def create_group(name: str, export: Document, tags: list[Document]) -> Group:
    """Make a group. Raises AwsError if there is one of that name."""
    arn = f"arn:aws:codebuild:{region()}:{account()}:report-group/{name}"
    group = Group(name, arn, export, tags=tags)
    if groups.setdefault(name, group) is not group:
        raise AwsError("ResourceAlreadyExistsException", f"Report group {name} already exists")
    return group


def collect(build: Build, name: str, wanted: Wanted, source: Path, codebuild: Any) -> str:
    """Read a build's results into a group, which is made if needed (`<project>-<name>`); what to say in the log."""
    files = artifacts.find(source, wanted.base_directory, wanted.files)
    if wanted.file_format != "JUNITXML":
        return f"Report {name}: the format {wanted.file_format} is not part of the rehearsal"
    if not files:
        return f"No test reports found for {name}: {', '.join(wanted.files)}"
    results = junit.Results([case for path in files for case in junit.read(path)])
    group = _group_of(build, name, codebuild)
    try:
        _require_writing(build, group)
    except permissions.PermissionMissingError as error:
        return f"Report {name}: {error}"
    arn = group.replace(":report-group/", ":report/") + f":{uuid.uuid4()}"
    reports[arn] = Report(arn, group, build.arn, results)
    build.reports.append(arn)
    return f"Uploading test report {name}: {len(results.cases)} tests, {results.status}"


def _require_writing(build: Build, group: str) -> None:
    """What the role of a build needs for a report ("Test report permissions", CodeBuild user guide); no call is that.

    Raises PermissionMissingError.
    """
    role, project = build.project["serviceRole"], build.project["arn"]
    for action in WRITING if seams.enforced() else ():
        permissions.require(role, f"codebuild:{action}", group, {}, "codebuild.amazonaws.com", project)


def _group_of(build: Build, name: str, codebuild: Any) -> str:
    """A name in a buildspec may be the ARN of a group; otherwise the build makes one with its own role."""
    if name.startswith("arn:"):
        return find_group(name).arn
    full = f"{build.name}-{name}"
    existing = groups.get(full)
    if existing:
        return existing.arn
    created = codebuild.create_report_group(name=full, type="TEST", exportConfig={"exportConfigType": "NO_EXPORT"})
    return str(created["reportGroup"]["arn"])
