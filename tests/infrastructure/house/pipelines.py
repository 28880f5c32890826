"""House rules on CodePipeline: what starts a pipeline, what its actions hand on, and where it stops.

Sources: CodePipeline user guide, "CodePipeline pipeline structure reference", "Stage conditions", "Working with
variables", "Quotas"; API reference, PipelineVariableDeclaration and GitFilePathFilterCriteria.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.infrastructure import stages
from tests.infrastructure.cloudformation import Stack

PIPELINE = "AWS::CodePipeline::Pipeline"
PATTERNS = 8
GROUPS = {"scaling-before": "scaling"}
_VARIABLE = re.compile(r"#\{([\w@-]+)\.([\w@-]+)\}")
_SKIP_UNLESS_RELEASED = {
    "Variable": "#{Release.RELEASE_STATUS}",
    "Operator": "EQ",
    "Value": "release",
}
_CAPABILITIES = "CAPABILITY_NAMED_IAM,CAPABILITY_AUTO_EXPAND"


def pipelines_queue(stack: Stack) -> Iterator[str]:
    """Each execution runs, one after the other, on artifacts that the key encrypts."""
    for name, pipeline in stack.of_type(PIPELINE):
        if (pipeline.get("PipelineType"), pipeline.get("ExecutionMode")) != ("V2", "QUEUED"):
            yield f"{name}: must be of type V2 and in the mode QUEUED"
        if pipeline.get("ArtifactStore", {}).get("EncryptionKey") != {"Id": "<Key.Arn>", "Type": "KMS"}:
            yield f"{name}: its artifacts are not encrypted with the key"


def variables_have_values(stack: Stack) -> Iterator[str]:
    """A variable has a default of 1 to 1,000 characters and a name that CodePipeline takes."""
    for name, pipeline in stack.of_type(PIPELINE):
        for variable in pipeline.get("Variables", []):
            if not 1 <= len(variable.get("DefaultValue", "")) <= 1000:
                yield f"{name}: the variable {variable['Name']} has no value unless somebody gives one"
            if not re.fullmatch(r"[A-Za-z0-9@_-]{1,128}", variable["Name"]) or not variable.get("Description"):
                yield f"{name}: the variable {variable['Name']} has a wrong name or no description"


def artifacts_and_variables_resolve(stack: Stack) -> Iterator[str]:
    """An action takes what an earlier one made, and names variables that exist by then."""
    for name, pipeline in stack.of_type(PIPELINE):
        made: set[str] = set()
        spaces = {"variables": {each["Name"] for each in pipeline.get("Variables", [])}}
        for stage in pipeline["Stages"]:
            yield from (
                f"{name} {line}" for line in _unknown_variables(stage["Name"], stage.get("BeforeEntry"), spaces)
            )
            for action in sorted(stage["Actions"], key=lambda each: int(each.get("RunOrder", 1))):
                where = f"{name} {stage['Name']}.{action['Name']}"
                taken = [each["Name"] for each in action.get("InputArtifacts", [])]
                yield from (f"{where}: nobody made the artifact {each}" for each in taken if each not in made)
                yield from (f"{name} {line}" for line in _unknown_variables(where, action["Configuration"], spaces))
                yield from (f"{where}: {line}" for line in _primary(action, taken))
                made |= {each["Name"] for each in action.get("OutputArtifacts", [])}
                if "Namespace" in action:
                    spaces[action["Namespace"]] = set(_exported(stack, action))


def _unknown_variables(where: str, value: Any, spaces: Mapping[str, set[str]]) -> Iterator[str]:
    for space, variable in _VARIABLE.findall(json.dumps(value)):
        if variable not in spaces.get(space, set()):
            yield f"{where}: there is no variable {space}.{variable} at this point"


def _primary(action: Mapping[str, Any], taken: list[str]) -> Iterator[str]:
    is_build = action["ActionTypeId"]["Provider"] == "CodeBuild"
    if is_build and len(taken) > 1 and action["Configuration"].get("PrimarySource") not in taken:
        yield "PrimarySource must name one of the two artifacts"


def _exported(stack: Stack, action: Mapping[str, Any]) -> list[str]:
    """What the buildspec of an action exports."""
    project = action["Configuration"].get("ProjectName", "").strip("<>")
    source = stack.resources.get(project, {}).get("Properties", {}).get("Source", {})
    path = stages.FOLDER.parent / str(source.get("BuildSpec"))
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"exported-variables: \[(.*)\]", text)
    return found[1].split(", ") if found else []


def sources_start_nothing_by_themselves(stack: Stack) -> Iterator[str]:
    """Neither polls nor follows the whole branch: which half a push concerns is decided by its paths."""
    for name, pipeline in stack.of_type(PIPELINE):
        (source,) = pipeline["Stages"][0]["Actions"]
        configuration = source["Configuration"]
        off = configuration.get("PollForSourceChanges", configuration.get("DetectChanges"))
        if off != "false" or configuration.get("BranchName") != stack.values["BranchName"]:
            yield f"{name}: the source must not start the pipeline, and must be the branch that was asked for"
        by_connection = stack.values["RepositoryProvider"] == "Connection"
        if (source["ActionTypeId"]["Provider"] == "CodeStarSourceConnection") is not by_connection:
            yield f"{name}: the source is not the provider that was asked for"
        if bool(pipeline.get("Triggers")) is not by_connection:
            yield f"{name}: triggers are for connections, and connections need them"
        yield from (f"{name}: {line}" for line in _trigger_problems(stack, pipeline, source["Name"]))


def _trigger_problems(stack: Stack, pipeline: Mapping[str, Any], source: str) -> Iterator[str]:
    for trigger in pipeline.get("Triggers", []):
        git = trigger["GitConfiguration"]
        (push,) = git["Push"]
        if git["SourceActionName"] != source or push.get("Branches") != {"Includes": [stack.values["BranchName"]]}:
            yield "the trigger is not about the source's branch"
        patterns = push.get("FilePaths", {}).get("Includes", [])
        if not 1 <= len(patterns) <= PATTERNS:
            yield f"{len(patterns)} path patterns, 1 to {PATTERNS} are allowed"


def nothing_is_deployed_unless_released(stack: Stack) -> Iterator[str]:
    """Every stage after Release is skipped unless its status is release; only VariableCheck can skip."""
    for name, pipeline in stack.of_type(PIPELINE):
        names = [stage["Name"] for stage in pipeline["Stages"]]
        if "Release" not in names:
            continue
        for stage in pipeline["Stages"][names.index("Release") + 1 :]:
            conditions = stage.get("BeforeEntry", {}).get("Conditions", [])
            rules = [rule for condition in conditions for rule in condition["Rules"]]
            kinds = {rule["RuleTypeId"]["Provider"] for rule in rules}
            if [each["Result"] for each in conditions] != ["SKIP"] or kinds != {"VariableCheck"}:
                yield f"{name} {stage['Name']}: is entered although nothing is released"
            if [rule["Configuration"] for rule in rules] != [_SKIP_UNLESS_RELEASED]:
                yield f"{name} {stage['Name']}: does not ask for the release's status"


def production_is_approved(stack: Stack) -> Iterator[str]:
    """Staging, verify, a person who sees the evidence, and only then production, which asks once more."""
    for name, pipeline in stack.of_type(PIPELINE):
        found = [stage["Name"] for stage in pipeline["Stages"]]
        if "Release" in found and found != ["Source", "Release", "Staging", "Approve", "Production"]:
            yield f"{name}: its stages are {found}"
        for stage in pipeline["Stages"]:
            (first, *_) = sorted(stage["Actions"], key=lambda each: int(each.get("RunOrder", 1)))
            if stage["Name"] == "Approve":
                asked = first["Configuration"]
                if not {"NotificationArn", "CustomData", "ExternalEntityLink"} <= asked.keys():
                    yield f"{name}: whoever approves is not told, or sees no evidence"
            if stage["Name"] == "Production" and first["Configuration"].get("ProjectName") != "<Confirm>":
                yield f"{name}: production is not confirmed first"


def stages_are_deployed_as_their_roles(stack: Stack) -> Iterator[str]:
    """Each stack under the roles of its stage, from a template of the source and the parameters of the release."""
    for name, pipeline in stack.of_type(PIPELINE):
        for stage in pipeline["Stages"]:
            target = {"Staging": "staging", "Production": "prod"}.get(stage["Name"], "")
            for action in stage["Actions"]:
                if action["ActionTypeId"]["Provider"] == "CloudFormation":
                    problems = _deployment_problems(stack, target, action)
                    yield from (f"{name} {stage['Name']}.{action['Name']}: {line}" for line in problems)


def _deployment_problems(stack: Stack, stage: str, action: Mapping[str, Any]) -> Iterator[str]:
    configuration = action["Configuration"]
    account = stack.values["ProdAccountId" if stage == "prod" else "StagingAccountId"] or stack.values["AWS::AccountId"]
    roles = {action.get("RoleArn"): "deploy", configuration.get("RoleArn"): "cloudformation"}
    for arn, purpose in roles.items():
        if arn != f"arn:aws:iam::{account}:role/sagemaker-projects/sagemaker-{stage}-{purpose}":
            yield f"{arn} is not the role of {stage} that may {purpose}"
    # The release writes the API's template: the name of its snapshot is in it
    place = rf"(?:Source::model_deploy|Release::{stage}(?=/api\.))/(\w+)\.yaml"
    template = re.fullmatch(place, configuration["TemplatePath"])
    parameters = re.fullmatch(r"Release::(\w+)/([\w-]+)\.json", configuration["TemplateConfiguration"])
    if not template or f"{template[1]}.yaml" not in stages.templates():
        yield f"{configuration['TemplatePath']} is no template of the project"
    if not parameters or parameters[1] != stage or not template or _concern(parameters[2]) != template[1]:
        yield f"{configuration['TemplateConfiguration']} are not this template's parameters for {stage}"
    unique = f"{stack.values['SageMakerProjectName']}-{stack.values['SageMakerProjectId']}"
    if template and configuration["StackName"] != f"sagemaker-{unique}-{stage}-{template[1]}":
        yield f"the stack {configuration['StackName']} is not named after project, stage and template"
    if (configuration.get("ActionMode"), configuration.get("Capabilities")) != ("CREATE_UPDATE", _CAPABILITIES):
        yield "must create or update, with names for roles and with loops"


def _concern(parameters: str) -> str:
    return GROUPS.get(parameters, parameters)


def stages_are_deployed_in_order(stack: Stack) -> Iterator[str]:
    """Scaling is suspended, the endpoint changes, scaling comes back, then what hangs on the endpoint, then verify."""
    order = ["scaling-before", "endpoint", "scaling", "api batch monitoring", "verify"]
    for name, pipeline in stack.of_type(PIPELINE):
        for stage in pipeline["Stages"]:
            if stage["Name"] not in ("Staging", "Production"):
                continue
            steps: dict[int, list[str]] = {}
            for action in stage["Actions"]:
                file = action["Configuration"].get("TemplateConfiguration", "")
                step = re.sub(r".*/|\.json", "", file) or action["Name"].lower()
                steps.setdefault(int(action["RunOrder"]), []).append(step)
            found = [" ".join(sorted(steps[order])) for order in sorted(steps)]
            if [each for each in found if each != "confirm"] != order:
                yield f"{name} {stage['Name']}: deploys in the order {found}"


RULES = (
    pipelines_queue,
    variables_have_values,
    artifacts_and_variables_resolve,
    sources_start_nothing_by_themselves,
    nothing_is_deployed_unless_released,
    production_is_approved,
    stages_are_deployed_as_their_roles,
    stages_are_deployed_in_order,
)
