"""The API of CodeBuild: projects, builds, report groups. Shapes are those of botocore's model of 2016-10-06.

Webhooks, batches, fleets and sandboxes are not there.
"""

import copy
import re
import shutil
import time
import uuid
from typing import Any

from rehearsal.emulator import seams
from rehearsal.emulator.codebuild import builds, caches, execution, reports
from rehearsal.emulator.codebuild.builds import Build
from rehearsal.emulator.service import AwsError, Service, Store, account, caller, region, spawn, tag_finders

Request = dict[str, Any]

codebuild = Service("codebuild", target="CodeBuild_20161006")
projects: Store[Request] = Store("projects")
_tokens: Store[str] = Store("tokens")
_DEFAULTS = {"timeoutInMinutes": 60, "queuedTimeoutInMinutes": 480, "cache": {"type": "NO_CACHE"}}


def find_project(name: str) -> Request:
    """A project by name. Raises AwsError."""
    project = projects.get(name)
    if project is None:
        raise AwsError("ResourceNotFoundException", f"Project cannot be found: {name}")
    return project


@codebuild.operation
def create_project(request: Request) -> Request:
    """Make a project."""
    name = request["name"]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9\-_]{1,149}", name):
        raise AwsError("InvalidInputException", f"Project name {name!r} is not 2 to 150 letters, digits, - and _")
    arn = f"arn:aws:codebuild:{region()}:{account()}:project/{name}"
    project = {**_DEFAULTS, **_checked(request), "arn": arn, "created": time.time(), "lastModified": time.time()}
    if projects.setdefault(name, project) is not project:
        raise AwsError("ResourceAlreadyExistsException", f"Project already exists: {arn}")
    return {"project": project}


def _checked(request: Request) -> Request:
    for key in ("source", "environment", "serviceRole", "artifacts"):
        if not request.get(key):
            raise AwsError("InvalidInputException", f"Invalid input: {key} is missing")
    both = request["source"]["type"], request["artifacts"]["type"]
    if "CODEPIPELINE" in both and len(set(both)) > 1:
        raise AwsError("InvalidInputException", "Source and artifacts must both be of type CODEPIPELINE, or neither")
    return request


@codebuild.operation
def update_project(request: Request) -> Request:
    """Change what is given of a project."""
    project = find_project(request["name"])
    project.update(request, lastModified=time.time())
    return {"project": project}


@codebuild.operation
def delete_project(request: Request) -> Request:
    """Remove a project and what it cached; its builds stay readable."""
    if project := projects.pop(request["name"]):
        shutil.rmtree(caches.folder(project["arn"]), ignore_errors=True)
    return {}


@codebuild.operation
def list_projects(request: Request) -> Request:
    """Names."""
    return {"projects": sorted(projects)}


@codebuild.operation
def batch_get_projects(request: Request) -> Request:
    """Several projects by name or ARN."""
    names = [name.rpartition("project/")[2] for name in request["names"]]
    found = [project for name in names if (project := projects.get(name))]
    return {"projects": found, "projectsNotFound": [name for name in names if name not in projects]}


@codebuild.operation
def start_build(request: Request) -> Request:
    """Start a build; of two starts with one idempotencyToken, the second only tells about the first."""
    project = _overridden(find_project(request["projectName"].rpartition("project/")[2]), request)
    token = request.get("idempotencyToken", "")
    known = _tokens.get(token) if token else None
    if known:
        return {"build": builds.find(known).describe()}
    _require_room(project)
    build = _new_build(project, request, builds.handovers.pop(token, None))
    builds.builds[build.id] = build
    if token:
        _tokens[token] = build.id
    spawn(execution.run, build)
    return {"build": build.describe()}


def _new_build(project: Request, request: Request, handover: builds.Handover | None) -> Build:
    """Without a handover, a project of a pipeline cannot be started."""
    name = str(project["name"])
    if project["source"]["type"] == "CODEPIPELINE" and handover is None:
        raise AwsError(
            "InvalidInputException", f"Project {name} takes its source from CodePipeline: start the pipeline"
        )
    identifier = f"{name}:{uuid.uuid4()}"
    arn = f"arn:aws:codebuild:{region()}:{account()}:build/{identifier}"
    number = builds.next_number(name)
    if handover is None:
        return Build(identifier, number, arn, project, _initiator(), request.get("sourceVersion", ""))
    source = f"arn:aws:s3:::{next(iter(handover.inputs.values()))}"
    initiator = f"codepipeline/{handover.pipeline}"
    return Build(identifier, number, arn, project, initiator, source, handover.revision, handover)


def _initiator() -> str:
    """user/name, rule/name or role/session: who started it."""
    return caller().rpartition(":")[2].removeprefix("assumed-role/")


def _require_room(project: Request) -> None:
    """ConcurrentBuildLimit: builds above it "are throttled and are not run" (CreateProject, API reference)."""
    limit = project.get("concurrentBuildLimit")
    if limit and builds.active(project["name"]) >= int(limit):
        raise AwsError("AccountLimitExceededException", f"Cannot have more than {limit} active builds for the project")


def _overridden(project: Request, request: Request) -> Request:
    """The project as this build takes it."""
    merged = copy.deepcopy(project)
    variables = {entry["name"]: entry for entry in merged["environment"].get("environmentVariables") or []}
    variables |= {entry["name"]: entry for entry in request.get("environmentVariablesOverride") or []}
    merged["environment"]["environmentVariables"] = list(variables.values())
    plain = {"serviceRoleOverride": "serviceRole", "timeoutInMinutesOverride": "timeoutInMinutes",
             "artifactsOverride": "artifacts", "encryptionKeyOverride": "encryptionKey"}  # fmt: skip
    merged.update({key: request[name] for name, key in plain.items() if name in request})
    source = {"sourceTypeOverride": "type", "sourceLocationOverride": "location", "buildspecOverride": "buildspec"}
    merged["source"].update({key: request[name] for name, key in source.items() if name in request})
    if "imageOverride" in request:
        merged["environment"]["image"] = request["imageOverride"]
    return merged


@codebuild.operation
def stop_build(request: Request) -> Request:
    """End a build."""
    build = builds.find(request["id"])
    execution.stop(build)
    return {"build": build.describe()}


@codebuild.operation
def batch_get_builds(request: Request) -> Request:
    """Several builds by id or ARN."""
    identifiers = [identifier.rpartition("build/")[2] for identifier in request["ids"]]
    found = [build.describe() for identifier in identifiers if (build := builds.builds.get(identifier))]
    return {"builds": found, "buildsNotFound": [name for name in identifiers if name not in builds.builds]}


@codebuild.operation
def list_builds(request: Request) -> Request:
    """Ids, newest first."""
    return {"ids": [build.id for build in _sorted(builds.builds.values(), request)]}


@codebuild.operation
def list_builds_for_project(request: Request) -> Request:
    """Ids of a project's builds, newest first."""
    find_project(request["projectName"])
    own = [build for build in builds.builds.values() if build.name == request["projectName"]]
    return {"ids": [build.id for build in _sorted(own, request)]}


def _sorted(found: list[Build], request: Request) -> list[Build]:
    return sorted(found, key=lambda build: (build.begun, build.number), reverse=request.get("sortOrder") != "ASCENDING")


@codebuild.operation
def create_report_group(request: Request) -> Request:
    """Make a report group."""
    if request.get("type") != "TEST":
        raise AwsError("InvalidInputException", "Only report groups of type TEST are part of the rehearsal")
    return {
        "reportGroup": reports.create_group(
            request["name"], request["exportConfig"], request.get("tags", [])
        ).describe()
    }


@codebuild.operation
def update_report_group(request: Request) -> Request:
    """Change what is given of a report group."""
    group = reports.find_group(request["arn"])
    group.export, group.tags = request.get("exportConfig", group.export), request.get("tags", group.tags)
    reports.groups[group.name] = group
    return {"reportGroup": group.describe()}


@codebuild.operation
def delete_report_group(request: Request) -> Request:
    """Remove a group; with deleteReports, its reports first."""
    arn = request["arn"]
    own = [report.arn for report in reports.reports.values() if report.group == arn]
    if own and not request.get("deleteReports"):
        raise AwsError("InvalidInputException", f"Report group {arn} has reports: deleteReports must be set")
    for report in own:
        reports.reports.pop(report)
    reports.groups.pop(arn.rpartition("/")[2])
    return {}


@codebuild.operation
def list_report_groups(request: Request) -> Request:
    """ARNs."""
    return {"reportGroups": [group.arn for group in reports.groups.values()]}


@codebuild.operation
def batch_get_report_groups(request: Request) -> Request:
    """Several groups."""
    return {"reportGroups": [reports.find_group(arn).describe() for arn in request["reportGroupArns"]]}


@codebuild.operation
def list_reports_for_report_group(request: Request) -> Request:
    """ARNs of a group's reports, newest first."""
    group = reports.find_group(request["reportGroupArn"])
    return {"reports": [report.arn for report in reversed(reports.reports.values()) if report.group == group.arn]}


@codebuild.operation
def list_reports(request: Request) -> Request:
    """ARNs, newest first."""
    return {"reports": [report.arn for report in reversed(reports.reports.values())]}


@codebuild.operation
def batch_get_reports(request: Request) -> Request:
    """Several reports."""
    return {"reports": [reports.find(arn).describe() for arn in request["reportArns"]]}


@codebuild.operation
def describe_test_cases(request: Request) -> Request:
    """The tests of a report."""
    return {"testCases": reports.find(request["reportArn"]).describe_cases()}


@tag_finders.append
def _tags_of(arn: str) -> dict[str, str] | None:
    """The tags of a project, for conditions on aws:ResourceTag."""
    _, _, service, place, owner, resource = arn.split(":", 5)
    if service != "codebuild" or not resource.startswith("project/"):
        return None
    with seams.scope(owner, place):
        project = projects.get(resource.removeprefix("project/"))
        return {tag["key"]: tag["value"] for tag in project.get("tags", [])} if project else None
