"""A pipeline definition (version 2020-12-01): its parameters, its steps and what each waits for.

Everything that can be known to be wrong before a step runs is found here, all problems at once. The file evaluates
nothing (see `expressions`) and runs nothing.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import DefinitionError, ParameterError
from sagemaker_project_kit.local.jobs import images

SUPPORTED = ("Processing", "Training", "Tuning", "Condition", "RegisterModel", "Model", "Transform", "Lambda", "Fail")
STRATEGIES = ("Random", "Bayesian")
BRANCHES = ("IfSteps", "ElseSteps")


@dataclass(frozen=True)
class Node:
    """One step. `needs` names the steps it waits for; a step in a branch also waits for its Condition, `parent`."""

    name: str
    type: str
    step: Mapping[str, Any]
    needs: frozenset[str]
    parent: str | None = None
    branch: str | None = None


@dataclass(frozen=True)
class Definition:
    """A checked definition; `nodes` holds every step by name, those inside branches too, in reading order."""

    parameters: tuple[Mapping[str, Any], ...]
    nodes: Mapping[str, Node]
    text: str


def load(path: Path) -> Definition:
    """Read and check a definition file.

    Raises DefinitionError with every problem found, one a line.
    """
    text = _read(path)
    document = _parse(text, path)
    nodes = list(_nodes(document["Steps"], None, None))
    definition = Definition(tuple(document.get("Parameters") or ()), {node.name: node for node in nodes}, text)
    problems = [*_duplicates(nodes), *_problems(definition)]
    if problems:
        raise DefinitionError(f"{path} cannot run here:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return definition


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"Cannot read the pipeline definition {path}: {error}") from error


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DefinitionError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Steps"), list) or not document["Steps"]:
        raise DefinitionError(f"{path} is not a pipeline definition: it has no list of Steps.")
    return document


def _nodes(steps: list[Any], parent: str | None, branch: str | None) -> Iterator[Node]:
    for step in steps:
        if not isinstance(step, dict) or not step.get("Name") or not step.get("Type"):
            raise DefinitionError(f"A step has no Name or no Type: {json.dumps(step)[:200]}")
        yield Node(step["Name"], step["Type"], step, _needs(step), parent, branch)
        for key in BRANCHES if step["Type"] == "Condition" else ():
            yield from _nodes(_arguments(step).get(key) or [], step["Name"], key)


def _arguments(step: Mapping[str, Any]) -> Mapping[str, Any]:
    arguments = step.get("Arguments")
    return arguments if isinstance(arguments, dict) else {}


def own_part(step: Mapping[str, Any]) -> dict[str, Any]:
    """The step without the steps inside its branches."""
    return {**step, "Arguments": {key: value for key, value in _arguments(step).items() if key not in BRANCHES}}


def references(value: Any) -> Iterator[str]:
    """Every {"Get": reference} within `value`, at any depth."""
    if isinstance(value, Mapping):
        if set(value) == {"Get"} and isinstance(value["Get"], str):
            yield value["Get"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def _step_references(step: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(step name, rest of the path) of every reference to another step."""
    for reference in references(own_part(step)):
        kind, _, rest = reference.partition(".")
        if kind == "Steps":
            name, _, path = rest.partition(".")
            yield name, path


def _needs(step: Mapping[str, Any]) -> frozenset[str]:
    return frozenset([name for name, _ in _step_references(step)] + list(step.get("DependsOn") or []))


def _duplicates(nodes: list[Node]) -> Iterator[str]:
    names = [node.name for node in nodes]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"Two steps are called {name!r}: names must differ, also across branches."


def _problems(definition: Definition) -> Iterator[str]:
    for node in definition.nodes.values():
        yield from _step_problems(node, definition)
    yield from _cycle(definition.nodes)


def _step_problems(node: Node, definition: Definition) -> Iterator[str]:
    if node.type not in SUPPORTED:
        known = ", ".join(SUPPORTED)
        yield f"Step {node.name!r} is of type {node.type}, which does not run locally; these do: {known}."
    for name in sorted(node.needs - set(definition.nodes)):
        yield f"Step {node.name!r} refers to a step {name!r} that does not exist."
    yield from _parameter_problems(node, definition)
    yield from _property_file_problems(node, definition)
    if node.type in _SPECIAL:
        yield from _SPECIAL[node.type](node)


def _parameter_problems(node: Node, definition: Definition) -> Iterator[str]:
    declared = {parameter["Name"] for parameter in definition.parameters}
    for reference in sorted(set(references(own_part(node.step)))):
        kind, _, name = reference.partition(".")
        if kind == "Parameters" and name not in declared:
            yield f"Step {node.name!r} refers to a parameter {name!r} that is not declared."
        elif kind not in ("Parameters", "Execution", "Steps"):
            yield f"Step {node.name!r} refers to {reference!r}, which is neither a parameter, a step nor the execution."


def _property_file_problems(node: Node, definition: Definition) -> Iterator[str]:
    for name, path in _step_references(node.step):
        kind, _, file = path.partition(".")
        if kind == "PropertyFiles" and name in definition.nodes:
            files = [entry["PropertyFileName"] for entry in definition.nodes[name].step.get("PropertyFiles") or []]
            if file not in files:
                yield f"Step {node.name!r} reads property file {file!r}, which step {name!r} does not declare."


def _processing_problems(node: Node) -> Iterator[str]:
    arguments = _arguments(node.step)
    if not (arguments.get("AppSpecification") or {}).get("ContainerEntrypoint"):
        yield f"Step {node.name!r} has no ContainerEntrypoint: what its image runs by itself is not known here."
    for entry in arguments.get("ProcessingInputs") or []:
        if "S3Input" not in entry:
            yield f"Step {node.name!r}, input {entry.get('InputName')!r}: only S3Input works locally."
        elif entry["S3Input"].get("S3DataType", "S3Prefix") != "S3Prefix":
            yield f"Step {node.name!r}, input {entry.get('InputName')!r}: only the S3DataType S3Prefix works locally."


def _training_problems(node: Node) -> Iterator[str]:
    yield from _job_problems(node.name, _arguments(node.step), "HyperParameters", {})


def _job_problems(name: str, job: Mapping[str, Any], hyperparameters: str, tuning: Mapping[str, Any]) -> Iterator[str]:
    algorithm = job.get("AlgorithmSpecification") or {}
    if "sagemaker_program" not in (job.get(hyperparameters) or {}) and not algorithm.get("ContainerEntrypoint"):
        yield (
            f"Step {name!r} has neither the hyperparameter sagemaker_program (script mode) nor a ContainerEntrypoint: "
            "an image's built-in algorithm cannot run without the image."
        )
    yield from _channel_problems(name, job.get("InputDataConfig") or [])
    yield from _metric_problems(name, algorithm.get("MetricDefinitions") or [])
    yield from (f"Step {name!r}: {refusal}" for refusal in images.refusals(algorithm, tuning))


def _channel_problems(name: str, channels: list[Any]) -> Iterator[str]:
    for channel in channels:
        source = (channel.get("DataSource") or {}).get("S3DataSource") or {}
        if source.get("S3DataType", "S3Prefix") != "S3Prefix" or "S3Uri" not in source:
            yield f"Step {name!r}, channel {channel.get('ChannelName')!r}: only an S3Prefix works locally."


def _metric_problems(name: str, metrics: list[Any]) -> Iterator[str]:
    for metric in metrics:
        try:
            groups = re.compile(metric["Regex"]).groups
        except re.error as error:
            yield f"Step {name!r}, metric {metric['Name']!r}: the regular expression is broken ({error})."
        else:
            if groups < 1:
                yield f"Step {name!r}, metric {metric['Name']!r}: its regular expression has no group (…) for a value."


def _tuning_problems(node: Node) -> Iterator[str]:
    arguments = _arguments(node.step)
    config, job = arguments.get("HyperParameterTuningJobConfig") or {}, arguments.get("TrainingJobDefinition")
    strategy = config.get("Strategy")
    if strategy not in STRATEGIES:
        known = ", ".join(STRATEGIES)
        yield f"Step {node.name!r}: the tuning strategy {strategy!r} does not run locally; these do: {known}."
    if strategy == "Bayesian" and find_spec("sklearn") is None:
        yield f"Step {node.name!r}: Bayesian tuning needs scikit-learn; install it or choose the strategy Random."
    if not isinstance(job, dict):
        yield f"Step {node.name!r} has no TrainingJobDefinition (a list of several is not supported locally)."
        return
    yield from _job_problems(node.name, job, "StaticHyperParameters", config)


def _transform_problems(node: Node) -> Iterator[str]:
    data = _arguments(node.step).get("DataProcessing") or {}
    trivial = {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}
    for key in sorted(data):
        if data[key] != trivial.get(key):
            yield f"Step {node.name!r}: DataProcessing.{key} is not supported locally."


_SPECIAL: dict[str, Callable[[Node], Iterator[str]]] = {
    "Processing": _processing_problems,
    "Training": _training_problems,
    "Tuning": _tuning_problems,
    "Transform": _transform_problems,
}


def _cycle(nodes: Mapping[str, Node]) -> Iterator[str]:
    graph = {name: node.needs | ({node.parent} if node.parent else set()) for name, node in nodes.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield "These steps wait for one another in a circle: " + " → ".join(reversed(error.args[1])) + "."


def resolve_parameters(definition: Definition, given: Mapping[str, str]) -> dict[str, Any]:
    """Default values overridden by `given`, each converted to the type that its declaration names.

    Raises ParameterError with every problem found, one a line.
    """
    values: dict[str, Any] = {}
    problems = list(_unknown(definition, given))
    for declared in definition.parameters:
        try:
            values[declared["Name"]] = _value(declared, given)
        except ParameterError as error:
            problems.append(str(error))
    if problems:
        raise ParameterError("\n".join(problems))
    return values


def _unknown(definition: Definition, given: Mapping[str, str]) -> Iterator[str]:
    names = [declared["Name"] for declared in definition.parameters]
    for name in sorted(set(given) - set(names)):
        yield f"Unknown parameter {name!r}; the pipeline has: {', '.join(sorted(names)) or 'none'}."


def _value(declared: Mapping[str, Any], given: Mapping[str, str]) -> Any:
    name, kind = declared["Name"], declared.get("Type", "String")
    raw = given.get(name, declared.get("DefaultValue"))
    if raw is None:
        raise ParameterError(f"Parameter {name!r} has no value: give one with --parameter {name}=VALUE.")
    allowed = declared.get("EnumValues") or []
    if allowed and raw not in allowed:
        raise ParameterError(f"Parameter {name!r} is {raw!r}; allowed: {', '.join(map(str, allowed))}.")
    try:
        return _CONVERTERS[kind](raw)
    except KeyError:
        raise ParameterError(f"Parameter {name!r} is of the unknown type {kind!r}.") from None
    except ValueError:
        raise ParameterError(f"Parameter {name!r} must be of type {kind}; {raw!r} is not.") from None


def _boolean(raw: Any) -> bool:
    if str(raw).lower() not in ("true", "false"):
        raise ValueError
    return str(raw).lower() == "true"


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "String": str,
    "Integer": lambda raw: int(str(raw)),
    "Float": float,
    "Boolean": _boolean,
}
