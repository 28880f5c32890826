"""A pipeline as it was declared, checked when it is made.

Shape: PipelineDeclaration in botocore's model of CodePipeline. What AWS would refuse is refused with its own
exceptions; what AWS takes and this engine cannot do is refused as well: skipped, it would be green for nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.emulator.service import AwsError

Document = dict[str, Any]
MODES = ("QUEUED", "SUPERSEDED", "PARALLEL")
PROVIDERS = {
    ("Source", "CodeCommit"),
    ("Source", "CodeStarSourceConnection"),
    ("Source", "S3"),
    ("Build", "CodeBuild"),
    ("Test", "CodeBuild"),
    ("Deploy", "CloudFormation"),
    ("Approval", "Manual"),
}
_NAME = re.compile(r"[A-Za-z0-9.@\-_]{1,100}")
_RESULTS = ("SKIP", "FAIL")


@dataclass(frozen=True)
class Action:
    """One action of a stage."""

    name: str
    category: str
    owner: str
    provider: str
    version: str
    run_order: int
    configuration: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    role: str
    region: str
    namespace: str
    minutes: int

    @property
    def type_id(self) -> dict[str, str]:
        return {"category": self.category, "owner": self.owner, "provider": self.provider, "version": self.version}


@dataclass(frozen=True)
class Rule:
    """One VariableCheck."""

    name: str
    variable: str
    operator: str
    value: str


@dataclass(frozen=True)
class Condition:
    """Rules that must all hold; otherwise the stage is skipped or fails."""

    result: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Stage:
    """Actions, and what must hold before they begin."""

    name: str
    actions: tuple[Action, ...]
    conditions: tuple[Condition, ...] = ()

    def groups(self) -> list[list[Action]]:
        """The actions by run order; those of one group run at the same time."""
        orders = sorted({action.run_order for action in self.actions})
        return [[action for action in self.actions if action.run_order == order] for order in orders]


@dataclass(frozen=True)
class Pipeline:
    """A whole pipeline. `variables` maps names to default values, None where there is none."""

    name: str
    role: str
    kind: str
    mode: str
    bucket: str
    kms_key: str
    stages: tuple[Stage, ...]
    variables: Mapping[str, str | None]
    triggers: tuple[Document, ...]

    def stage(self, name: str) -> Stage:
        """The stage called `name`. Raises AwsError."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise AwsError("StageNotFoundException", f"Pipeline {self.name} has no stage {name}")


def parse(document: Document) -> Pipeline:
    """The pipeline that a declaration describes. Raises AwsError."""
    store = document.get("artifactStore")
    if not store:
        raise AwsError("InvalidStructureException", "artifactStores of several regions are not part of the rehearsal")
    pipeline = Pipeline(
        name=_named(document["name"], "pipeline"),
        role=document["roleArn"],
        kind=document.get("pipelineType") or "V1",
        mode=document.get("executionMode") or "SUPERSEDED",
        bucket=store["location"],
        kms_key=(store.get("encryptionKey") or {}).get("id") or "",
        stages=tuple(_stage(stage) for stage in document["stages"]),
        variables={entry["name"]: entry.get("defaultValue") for entry in document.get("variables") or []},
        triggers=tuple(document.get("triggers") or ()),
    )
    for problem in _problems(pipeline):
        raise AwsError("InvalidStructureException", problem)
    return pipeline


def _named(name: str, what: str) -> str:
    if not _NAME.fullmatch(name):
        raise AwsError("ValidationException", f"The {what} name {name!r} must have 1 to 100 of A-Z a-z 0-9 . @ - _")
    return name


def _stage(document: Document) -> Stage:
    for key in ("onFailure", "onSuccess", "blockers"):
        if document.get(key):
            raise AwsError("InvalidStageDeclarationException", f"{key} of a stage is not part of the rehearsal")
    conditions = (document.get("beforeEntry") or {}).get("conditions") or []
    return Stage(
        _named(document["name"], "stage"),
        tuple(_action(action) for action in document["actions"]),
        tuple(_condition(condition, document["name"]) for condition in conditions),
    )


def _condition(document: Document, stage: str) -> Condition:
    result = document.get("result") or "FAIL"
    if result not in _RESULTS:
        raise AwsError("InvalidStageDeclarationException", f"{stage}: the result {result} is not part of the rehearsal")
    return Condition(result, tuple(_rule(rule, stage) for rule in document["rules"]))


def _rule(document: Document, stage: str) -> Rule:
    provider = document["ruleTypeId"]["provider"]
    if provider != "VariableCheck":
        raise AwsError("InvalidStageDeclarationException", f"{stage}: the rule {provider} is not part of the rehearsal")
    settings = document.get("configuration") or {}
    if missing := sorted({"Variable", "Operator", "Value"} - set(settings)):
        raise AwsError("InvalidStageDeclarationException", f"{stage}: the rule {document['name']} lacks {missing}")
    if settings["Operator"] not in ("EQ", "NE", "CONTAINS", "MATCHES"):
        raise AwsError("InvalidStageDeclarationException", f"{stage}: unknown operator {settings['Operator']}")
    return Rule(document["name"], settings["Variable"], settings["Operator"], settings["Value"])


def _action(document: Document) -> Action:
    kind = document["actionTypeId"]
    if (kind["category"], kind["provider"]) not in PROVIDERS or kind["owner"] != "AWS":
        text = f"{kind['category']}/{kind['owner']}/{kind['provider']} is not part of the rehearsal"
        raise AwsError("InvalidActionDeclarationException", f"Action {document['name']}: {text}")
    return Action(
        name=_named(document["name"], "action"),
        category=kind["category"],
        owner=kind["owner"],
        provider=kind["provider"],
        version=kind["version"],
        run_order=int(document.get("runOrder") or 1),
        configuration=dict(document.get("configuration") or {}),
        inputs=tuple(artifact["name"] for artifact in document.get("inputArtifacts") or ()),
        outputs=tuple(artifact["name"] for artifact in document.get("outputArtifacts") or ()),
        role=document.get("roleArn") or "",
        region=document.get("region") or "",
        namespace=document.get("namespace") or "",
        minutes=int(document.get("timeoutInMinutes") or 0),
    )


def _problems(pipeline: Pipeline) -> Iterator[str]:
    """What CreatePipeline says no to ("Pipeline structure reference", CodePipeline user guide)."""
    yield from _stage_problems(pipeline.stages)
    yield from _artifact_problems(pipeline.stages)
    if pipeline.mode not in MODES:
        yield f"unknown execution mode {pipeline.mode}"
    features = {"variables": pipeline.variables, "triggers": pipeline.triggers, "QUEUED": pipeline.mode == "QUEUED"}
    if pipeline.kind != "V2":
        yield from (f"{name} needs a pipeline of type V2" for name, used in features.items() if used)


def _stage_problems(stages: Sequence[Stage]) -> Iterator[str]:
    if len(stages) < 2:
        yield "a pipeline has at least two stages"
    for number, stage in enumerate(stages):
        sources = [action.category == "Source" for action in stage.actions]
        if number == 0 and not all(sources):
            yield "the first stage has source actions only"
        if number and any(sources):
            yield f"stage {stage.name}: only the first stage has source actions"
        if len({action.name for action in stage.actions}) < len(stage.actions):
            yield f"stage {stage.name}: two actions have one name"
    if len({stage.name for stage in stages}) < len(stages):
        yield "two stages have one name"


def _artifact_problems(stages: Sequence[Stage]) -> Iterator[str]:
    """An input is the output of an earlier action, and each output has a name of its own."""
    known: set[str] = set()
    for action in (action for stage in stages for group in stage.groups() for action in group):
        if missing := set(action.inputs) - known:
            yield f"action {action.name}: no earlier action has the output {', '.join(sorted(missing))}"
        if twice := set(action.outputs) & known:
            yield f"action {action.name}: the output {', '.join(sorted(twice))} has been made before"
        known |= set(action.outputs)
