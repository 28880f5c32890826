"""Checks a pipeline definition against the API model that botocore ships, without calling AWS.

The published JSON schema of pipeline definitions rejects what the SDK writes today, so each step's arguments are held
against the operation that SageMaker will call with them: unknown fields, types, enums (instance types), patterns and
required members; then every reference: parameters, steps, properties of a step's Describe… response, property files.
"""

import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

import botocore.session
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

Json = Any

CREATES = {
    "Processing": "CreateProcessingJob",
    "QualityCheck": "CreateProcessingJob",
    "ClarifyCheck": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "Tuning": "CreateHyperParameterTuningJob",
    "Transform": "CreateTransformJob",
    "Model": "CreateModel",
    "RegisterModel": "CreateModelPackage",
    "EndpointConfig": "CreateEndpointConfig",
    "Endpoint": "CreateEndpoint",
}
WITHOUT_OPERATION = {"Condition", "Fail", "Lambda", "Callback", "EMR"}
# Members that the service fills in when it runs the step.
NAMED_BY_SERVICE = re.compile(
    r"(ProcessingJob|TrainingJob|HyperParameterTuningJob|TransformJob|Model|EndpointConfig|Endpoint)Name"
)
FUNCTIONS = {"Get", "Std:Join", "Std:JsonGet"}
STEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# botocore's patterns are Java's; what Python's re does not know, as it may stand inside a character class.
JAVA_CLASSES = {
    r"\p{L}": r"a-zA-Z\u00aa-\uffff",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\p{M}": "",
    r"\p{Alnum}": "a-zA-Z0-9",
}


class DefinitionError(Exception):
    """The definition asks for something that SageMaker would refuse; the message lists every place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["The pipeline definition is not valid:", *map("  - {}".format, problems)]))
        self.problems = problems


def check(definition: dict[str, Json]) -> None:
    """Raise for everything in `definition` that SageMaker's API would not take.

    Raises:
        DefinitionError: listing each problem as step, path and what is allowed.
    """
    if problems := find_problems(definition):
        raise DefinitionError(problems)


def find_problems(definition: dict[str, Json]) -> list[str]:
    """Every problem in `definition`, each with the step and the path it lies at."""
    api = _api()
    steps = list(walk_steps(definition["Steps"]))
    names = [step["Name"] for step in steps]
    problems = [
        f"{name}: two steps have this name" for name in sorted({name for name in names if names.count(name) > 1})
    ]
    defaults = {parameter["Name"]: parameter.get("DefaultValue") for parameter in definition.get("Parameters", [])}
    references = _References(api, {step["Name"]: step for step in steps}, set(defaults))
    for step in steps:
        with_defaults = {**step, "Arguments": _put_defaults(step["Arguments"], defaults)}
        problems += [
            f"{step['Name']}{problem}" for problem in (*_step_problems(with_defaults, api), *references.problems(step))
        ]
    return problems


@functools.cache
def _api() -> ServiceModel:
    """What SageMaker takes, in botocore's words; several megabytes, read once."""
    return botocore.session.get_session().get_service_model("sagemaker")


def walk_steps(steps: list[Json]) -> Iterator[Json]:
    """Every step, those inside conditions too, in the order of the definition."""
    for step in steps:
        yield step
        if step["Type"] == "Condition":
            yield from walk_steps(step["Arguments"].get("IfSteps", []))
            yield from walk_steps(step["Arguments"].get("ElseSteps", []))


def find_references(value: Json) -> Iterator[str]:
    """Every `Get` in an argument, such as Parameters.X or Steps.Train.ModelArtifacts.S3ModelArtifacts."""
    if isinstance(value, dict):
        if isinstance(value.get("Get"), str):
            yield value["Get"]
        for item in value.values():
            yield from find_references(item)
    elif isinstance(value, list):
        for item in value:
            yield from find_references(item)


def own_arguments(step: Json) -> dict[str, Json]:
    """A step without the steps that it contains."""
    return {key: value for key, value in step["Arguments"].items() if key not in ("IfSteps", "ElseSteps")}


def _step_problems(step: Json, api: ServiceModel) -> Iterator[str]:
    if not STEP_NAME.fullmatch(step["Name"]):
        yield ": a step name has 1 to 64 letters, digits, dashes and underscores"
    operation = CREATES.get(step["Type"])
    if operation:
        yield from _argument_problems(step["Arguments"], api.operation_model(operation).input_shape)
    elif step["Type"] not in WITHOUT_OPERATION:
        yield f": unknown step type {step['Type']!r}; allowed: {', '.join(sorted({*CREATES, *WITHOUT_OPERATION}))}"


def _argument_problems(arguments: Json, shape: Shape) -> Iterator[str]:
    filled = _fill(arguments, shape)
    for member in shape.required_members:
        if NAMED_BY_SERVICE.fullmatch(member):
            filled.setdefault(member, "named-by-the-service")
    report = ParamValidator().validate(filled, shape)
    if report.has_errors():
        yield from (f": {line}" for line in report.generate_report().splitlines())
    yield from _value_problems(arguments, shape, "")


def _put_defaults(value: Json, defaults: dict[str, Json]) -> Json:
    """Each parameter by its default, so that a default instance type is checked like one that is written out."""
    if isinstance(value, dict):
        reference = str(value.get("Get", ""))
        default = defaults.get(reference.removeprefix("Parameters."))
        if reference.startswith("Parameters.") and default is not None:
            return default
        return {key: _put_defaults(item, defaults) for key, item in value.items()}
    return [_put_defaults(item, defaults) for item in value] if isinstance(value, list) else value


def _is_function(value: Json) -> bool:
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in FUNCTIONS


def _fill(value: Json, shape: Shape | None) -> Json:
    """Replace what is only known at run time by something of the right type."""
    if shape is None:
        return value
    if _is_function(value):
        return _example(shape)
    if shape.type_name == "structure" and isinstance(value, dict):
        return {key: _fill(item, shape.members.get(key)) for key, item in value.items()}
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: _fill(item, shape.value) for key, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [_fill(item, shape.member) for item in value]
    return value


def _example(shape: Shape) -> Json:
    examples: dict[str, Callable[[], Json]] = {
        "integer": lambda: max(1, int(shape.metadata.get("min", 1))),
        "long": lambda: max(1, int(shape.metadata.get("min", 1))),
        "float": lambda: 1.0,
        "double": lambda: 1.0,
        "boolean": lambda: True,
        "list": lambda: [_example(shape.member)],
    }
    return examples.get(shape.type_name, lambda: "x" * max(1, int(shape.metadata.get("min", 1))))()


def _value_problems(value: Json, shape: Shape, path: str) -> Iterator[str]:
    """Unknown fields, enums and patterns: what botocore's own validator leaves to the service."""
    if _is_function(value):
        return
    if shape.type_name == "structure" and isinstance(value, dict):
        for key, item in value.items():
            if key in shape.members:
                yield from _value_problems(item, shape.members[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}: {shape.name} has no such field"
    elif shape.type_name == "list" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _value_problems(item, shape.member, f"{path}[{index}]")
    elif shape.type_name == "map" and isinstance(value, dict):
        for key, item in value.items():
            yield from _value_problems(key, shape.key, f"{path}.{key}")
            yield from _value_problems(item, shape.value, f"{path}.{key}")
    elif isinstance(value, str):
        yield from _string_problems(value, shape, path)


def _string_problems(value: str, shape: Shape, path: str) -> Iterator[str]:
    enum, pattern = getattr(shape, "enum", None), shape.metadata.get("pattern")
    if enum and value not in enum:
        yield f"{path}: {value!r} is not one of the {len(enum)} values of {shape.name}, such as {', '.join(enum[:3])}"
    elif pattern and not _matches(pattern, value):
        yield f"{path}: {value!r} does not match {pattern}"
    limit = shape.metadata.get("max")
    if limit is not None and len(value) > limit:
        yield f"{path}: {len(value)} characters, at most {limit} are allowed"


def _matches(pattern: str, value: str) -> bool:
    for java, python in JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    pattern = re.sub(r"\$\{\d+,\d+\}$", "", pattern)  # a repeated end of line, in the pattern of metadata values
    return re.fullmatch(pattern, value) is not None


class _References:
    """Whether everything that a step refers to exists."""

    def __init__(self, api: ServiceModel, steps: dict[str, Json], parameters: set[str]) -> None:
        self.api, self.steps, self.parameters = api, steps, parameters

    def problems(self, step: Json) -> Iterator[str]:
        for reference in find_references({**step, "Arguments": own_arguments(step)}):
            kind, _, rest = reference.partition(".")
            if kind == "Parameters" and rest not in self.parameters:
                yield f": there is no parameter {rest}"
            elif kind == "Steps":
                yield from self._step_reference(*rest.partition(".")[::2])
            elif kind not in ("Parameters", "Execution"):
                yield f": {reference} refers to nothing"
        yield from (
            f": DependsOn names {name}, which is no step"
            for name in step.get("DependsOn", [])
            if name not in self.steps
        )

    def _step_reference(self, name: str, path: str) -> Iterator[str]:
        if name not in self.steps:
            yield f": there is no step {name}"
        elif path.startswith("PropertyFiles."):
            known = [file["PropertyFileName"] for file in self.steps[name].get("PropertyFiles", [])]
            if path.removeprefix("PropertyFiles.") not in known:
                yield f": step {name} has no property file {path.removeprefix('PropertyFiles.')}"
        elif not self._has_property(self.steps[name], path):
            yield f": {path} is not a property of step {name} ({self.steps[name]['Type']})"

    def _has_property(self, step: Json, path: str) -> bool:
        operation = CREATES.get(step["Type"])
        if operation is None:
            return True
        if named := re.match(r"ProcessingOutputConfig\.Outputs\['([^']+)'\]", path):
            outputs = step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", [])
            return named[1] in [output["OutputName"] for output in outputs]
        if step["Type"] == "Tuning" and path.startswith("TrainingJobSummaries["):
            return True  # ListTrainingJobsForHyperParameterTuningJob; SageMaker offers it as a property of the step
        return _resolves(self.api.operation_model(operation.replace("Create", "Describe")).output_shape, path)


def _resolves(shape: Shape, path: str) -> bool:
    for token in re.findall(r"[A-Za-z]\w*|\['[^']+'\]|\[\d+\]", path):
        if token.startswith("["):
            shape = shape.member if shape.type_name == "list" else shape.value
        elif shape.type_name == "structure" and token in shape.members:
            shape = shape.members[token]
        else:
            return False
    return True
