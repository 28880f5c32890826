"""AWS::CodeBuild::Project and AWS::CodeBuild::ReportGroup, made through the API with the stack's role."""

from typing import Any

from rehearsal.emulator.provisioning import Context, provisioner

# What the build runner acts on or has no counterpart on one machine; other properties are reported as ignored.
_PROPERTIES = ("Name", "Description", "Source", "SecondarySources", "SourceVersion", "Artifacts", "SecondaryArtifacts",
               "Cache", "Environment", "ServiceRole", "TimeoutInMinutes", "QueuedTimeoutInMinutes", "EncryptionKey",
               "LogsConfig", "VpcConfig", "ConcurrentBuildLimit", "AutoRetryLimit", "Tags")  # fmt: skip
# Written in capitals in the template, and in the API in small letters throughout.
_NAMES = {"BuildSpec": "buildspec"}
_NUMBERS = {"timeoutInMinutes", "queuedTimeoutInMinutes", "concurrentBuildLimit", "autoRetryLimit"}
_FLAGS = {"privilegedMode", "encryptionDisabled", "reportBuildStatus", "insecureSsl", "overrideArtifactName"}


@provisioner("AWS::CodeBuild::Project", create_only=("Name",), tags=True)
class Project:
    """A build project."""

    def create(self, properties: dict[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        """Ref is the name."""
        request = _request(properties, context)
        project = context.client("codebuild").create_project(**request)["project"]
        return project["name"], {"Arn": project["arn"]}

    def update(self, ref: str, old: dict[str, Any], new: dict[str, Any], context: Context) -> dict[str, Any]:
        """What is no longer given goes back to its default."""
        request = _request({**new, "Name": ref}, context)
        return {"Arn": context.client("codebuild").update_project(**request)["project"]["arn"]}

    def delete(self, ref: str, properties: dict[str, Any], context: Context) -> None:
        """The builds stay readable, as on AWS."""
        context.client("codebuild").delete_project(name=ref)


@provisioner("AWS::CodeBuild::ReportGroup", create_only=("Name", "Type"), tags=True)
class ReportGroup:
    """A report group."""

    def create(self, properties: dict[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        """Ref is the ARN."""
        name = properties.get("Name") or f"{context.stack_name}-{context.logical_id}"
        export = _lower(properties["ExportConfig"])
        tags = _lower(properties.get("Tags") or [])
        created = context.client("codebuild").create_report_group(
            name=name, type=properties["Type"], exportConfig=export, tags=tags
        )
        arn = created["reportGroup"]["arn"]
        return arn, {"Arn": arn}

    def update(self, ref: str, old: dict[str, Any], new: dict[str, Any], context: Context) -> dict[str, Any]:
        """Where its reports go, and its tags."""
        export, tags = _lower(new["ExportConfig"]), _lower(new.get("Tags") or [])
        context.client("codebuild").update_report_group(arn=ref, exportConfig=export, tags=tags)
        return {"Arn": ref}

    def delete(self, ref: str, properties: dict[str, Any], context: Context) -> None:
        """With its reports only where DeleteReports says so."""
        context.client("codebuild").delete_report_group(arn=ref, deleteReports=_flag(properties.get("DeleteReports")))


def _request(properties: dict[str, Any], context: Context) -> dict[str, Any]:
    given = {name: properties[name] for name in _PROPERTIES if properties.get(name) is not None}
    given.setdefault("Name", f"{context.stack_name}-{context.logical_id}")
    request: dict[str, Any] = _lower(given)
    return request


def _lower(value: Any, key: str = "") -> Any:
    """Names as the API writes them, numbers and flags as such: CloudFormation hands everything on as text."""
    if isinstance(value, dict):
        return {
            (name := _NAMES.get(part, part[0].lower() + part[1:])): _lower(item, name) for part, item in value.items()
        }
    if isinstance(value, list):
        return [_lower(item) for item in value]
    return int(value) if key in _NUMBERS else _flag(value) if key in _FLAGS else value


def _flag(value: Any) -> bool:
    return str(value).lower() == "true"
