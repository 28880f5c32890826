"""The command `run`: takes a definition, its assets and parameters, and runs it. All wiring is here, no other logic."""

import json
import os
import secrets
import string
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

from sagemaker_project_kit.local.errors import DefinitionError, LocalError, ParameterError, StepFailed, StorageError
from sagemaker_project_kit.local.jobs import lambdas
from sagemaker_project_kit.local.jobs.job import Runtime
from sagemaker_project_kit.local.jobs.processes import Children
from sagemaker_project_kit.local.pipeline import record
from sagemaker_project_kit.local.pipeline.cache import Cache, lifetime
from sagemaker_project_kit.local.pipeline.definition import Definition, load, resolve_parameters
from sagemaker_project_kit.local.pipeline.execution import Execution
from sagemaker_project_kit.local.pipeline.expressions import Scope, evaluate, property_file_uri
from sagemaker_project_kit.local.pipeline.progress import choose
from sagemaker_project_kit.local.pipeline.record import RunRecord
from sagemaker_project_kit.local.state.atomic import now, replace_text, to_json
from sagemaker_project_kit.local.state.registry import Registry
from sagemaker_project_kit.local.state.storage import Storage
from sagemaker_project_kit.local.state.workspace import workspace

CHAMPION_PARAMETER = "ChampionModelUri"


@dataclass(frozen=True)
class Options:
    """The options of the command."""

    definition: Path
    assets: Path | None
    parameters: list[str]
    lambdas: list[str]
    pipeline: str | None
    state: Path
    runs: Path
    use_cache: bool
    jobs: int


def run(options: Options) -> int:
    """Run a pipeline and print how it went. Returns the exit code. Raises LocalError if nothing can run."""
    definition = load(options.definition)
    functions = lambdas.parse(options.lambdas)
    _check(definition, functions)
    execution_id = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    state = options.state.absolute()
    with workspace(state, execution_id) as work:
        storage, registry = Storage(state / "s3", work), Registry(state / "registry")
        parameters = _parameters(definition, options, registry, storage)
        storage.put_assets(_assets(options.assets))
        name = options.pipeline or _pipeline_name(definition, parameters)
        header = record.header(name, execution_id, parameters, options.definition)
        run_record = _new_record(options, definition, header, storage)
        with Children() as children:
            runtime = Runtime(
                storage=storage,
                children=children,
                registry=registry,
                work=work,
                models=state / "models",
                project=Path.cwd(),
                lambdas=functions,
                execution_id=execution_id,
                execution_arn=header["PipelineExecutionArn"],
                cores=os.cpu_count() or 1,
            )
            return _execute(options, definition, runtime, run_record)


def _execute(options: Options, definition: Definition, runtime: Runtime, run_record: RunRecord) -> int:
    header = run_record.header
    scope = _scope(definition, header, runtime.storage)
    cache = Cache(options.state / "cache" / header["PipelineName"], runtime.storage, look_up=options.use_cache)
    # The summary's library loads while the first step runs, instead of after the last.
    Thread(target=import_module, args=("sagemaker_project_kit.local.pipeline.summary",), daemon=True).start()
    with choose(run_record.steps.values()) as progress:
        execution = Execution(definition, scope, runtime, run_record, cache, progress, options.jobs)
        code = execution.run()
    _read_results(definition, scope, run_record)
    from sagemaker_project_kit.local.pipeline.summary import show

    show(run_record, _places(run_record))
    return code


# -- before anything runs


def _check(definition: Definition, functions: Mapping[str, str]) -> None:
    problems = list(_cache_problems(definition)) + list(_lambda_problems(definition, functions))
    if problems:
        raise DefinitionError("\n".join(problems))


def _cache_problems(definition: Definition) -> Iterator[str]:
    for node in definition.nodes.values():
        try:
            lifetime((node.step.get("CacheConfig") or {}).get("ExpireAfter"))
        except ValueError as error:
            yield f"Step {node.name!r}: {error}"


def _lambda_problems(definition: Definition, functions: Mapping[str, str]) -> Iterator[str]:
    for node in definition.nodes.values():
        arn = node.step.get("FunctionArn")
        if node.type == "Lambda" and isinstance(arn, str) and lambdas.function_name(arn) not in functions:
            name = lambdas.function_name(arn)
            yield f"Step {node.name!r} calls the Lambda {name!r}: give --lambda {name}=module:function."


def _given(entries: list[str]) -> dict[str, str]:
    for entry in entries:
        if "=" not in entry:
            raise ParameterError(f"--parameter {entry!r} must have the form NAME=VALUE.")
    return {entry.partition("=")[0]: entry.partition("=")[2] for entry in entries}


def _parameters(definition: Definition, options: Options, registry: Registry, storage: Storage) -> dict[str, Any]:
    """The parameter values; ChampionModelUri is the champion of the group that the pipeline registers into."""
    given = _given(options.parameters)
    values = resolve_parameters(definition, given)
    if CHAMPION_PARAMETER not in values or CHAMPION_PARAMETER in given:
        return values
    group = _group(definition, values)
    champion = registry.champion(group) if group else None
    uri = champion.container.get("ModelDataUrl") if champion else None
    if uri and not storage.exists(uri):
        print(f"local: the model of the champion {champion} is gone ({uri}); comparing with none", file=sys.stderr)
        return values
    return values | ({CHAMPION_PARAMETER: uri} if uri else {})


def _group(definition: Definition, parameters: Mapping[str, Any]) -> str | None:
    """The model package group of the first RegisterModel step, if it is known before the run."""
    for node in definition.nodes.values():
        if node.type == "RegisterModel":
            scope = Scope(parameters, {}, lambda _: "", {})
            try:
                return str(evaluate(node.step["Arguments"].get("ModelPackageGroupName"), scope))
            except StepFailed:
                return None
    return None


def _pipeline_name(definition: Definition, parameters: Mapping[str, Any]) -> str:
    """A definition does not carry its pipeline's name, so it is called after the group it registers into."""
    return _group(definition, parameters) or "pipeline"


def _assets(path: Path | None) -> dict[str, Path]:
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LocalError(f"Cannot read the assets {path}: {error}") from error
    assets = {uri: Path(file) for uri, file in content.items()}
    missing = [str(file) for file in assets.values() if not file.is_file()]
    if missing:
        raise StorageError(f"{path} names files that do not exist: {', '.join(missing)}.")
    return assets


def _new_record(options: Options, definition: Definition, header: dict[str, Any], storage: Storage) -> RunRecord:
    folder = record.new_folder(options.runs)
    (folder / "logs").mkdir()
    replace_text(folder / "definition.json", definition.text)
    replace_text(folder / "parameters.json", to_json(header["Parameters"]))
    return RunRecord(folder, header, definition, storage)


def _scope(definition: Definition, header: Mapping[str, Any], storage: Storage) -> Scope:
    started = now()
    keys = ("PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn")
    variables: dict[str, Callable[[], str]] = {key: lambda key=key: str(header[key]) for key in keys}  # type: ignore[misc]
    variables |= {"StartDateTime": lambda: started, "CurrentDateTime": now}
    return Scope(header["Parameters"], variables, storage.read_text, dict(_property_files(definition)))


def _property_files(definition: Definition) -> Iterator[tuple[tuple[str, str], Mapping[str, str]]]:
    for node in definition.nodes.values():
        for entry in node.step.get("PropertyFiles") or []:
            yield (node.name, entry["PropertyFileName"]), entry


# -- after it


def _read_results(definition: Definition, scope: Scope, run_record: RunRecord) -> None:
    """Note where the property files of the steps that ran are, and the content of gate.json if it is among them."""
    for (step, name), _ in _property_files(definition):
        if step in scope.properties:
            uri = property_file_uri({"Get": f"Steps.{step}.PropertyFiles.{name}"}, scope)
            run_record.property_files[f"{step}.{name}"] = uri
            if uri.endswith("/gate.json"):
                run_record.gate = _gate(uri, scope)
    run_record.save()


def _gate(uri: str, scope: Scope) -> dict[str, Any]:
    try:
        gate = json.loads(scope.read_text(uri))
    except (StorageError, ValueError) as error:
        print(f"local: cannot read the gate: {error}", file=sys.stderr)
        return {}
    return gate if isinstance(gate, dict) else {}


def _places(run_record: RunRecord) -> dict[str, Path]:
    """Links in the run's folder to what a person looks for first."""
    found = {"model": "*/model.tar.gz", "evaluation": "*/*/evaluation.json"}
    outputs = run_record.folder / "outputs"
    return {name: path for name, pattern in found.items() for path in sorted(outputs.glob(pattern))[:1]}
