"""AWS::CodePipeline::Pipeline, made through the API with the stack's role."""

from typing import Any

from rehearsal.emulator.provisioning import Context, provisioner

# Names inside these maps are a provider's own, or a person's.
_VERBATIM = {"configuration"}
_NUMBERS = {"runOrder", "timeoutInMinutes"}


@provisioner("AWS::CodePipeline::Pipeline", create_only=("Name",), tags=True)
class Pipeline:
    """A pipeline; it runs once when it is made."""

    def create(self, properties: dict[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        """Ref is the name."""
        client, document = context.client("codepipeline"), _declaration(properties, context)
        tags = [{"key": str(tag["Key"]), "value": str(tag["Value"])} for tag in properties.get("Tags") or []]
        client.create_pipeline(pipeline=document, tags=tags)
        return document["name"], {"Version": "1"}

    def update(self, ref: str, old: dict[str, Any], new: dict[str, Any], context: Context) -> dict[str, Any]:
        """A new version; with RestartExecutionOnUpdate it runs once."""
        client = context.client("codepipeline")
        version = client.update_pipeline(pipeline=_declaration({**new, "Name": ref}, context))["pipeline"]["version"]
        if str(new.get("RestartExecutionOnUpdate")).lower() == "true":
            client.start_pipeline_execution(name=ref)
        return {"Version": str(version)}

    def delete(self, ref: str, properties: dict[str, Any], context: Context) -> None:
        """With its executions."""
        context.client("codepipeline").delete_pipeline(name=ref)


def _declaration(properties: dict[str, Any], context: Context) -> dict[str, Any]:
    names = ("Name", "RoleArn", "ArtifactStore", "Stages", "PipelineType", "ExecutionMode", "Variables", "Triggers")
    given = {name: properties[name] for name in names if properties.get(name) is not None}
    given.setdefault("Name", f"{context.stack_name}-{context.logical_id}")
    document: dict[str, Any] = _lower(given)
    return document


def _lower(value: Any, key: str = "") -> Any:
    """Names as the API writes them, numbers as such; configurations stay as they are, their values texts."""
    if key in _VERBATIM:
        return {str(name): _text(item) for name, item in value.items()}
    if isinstance(value, dict):
        return {(name := part[0].lower() + part[1:]): _lower(item, name) for part, item in value.items()}
    if isinstance(value, list):
        return [_lower(item) for item in value]
    return int(value) if key in _NUMBERS else value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
