"""project.toml and the environment, read once into one frozen object.

Every problem is reported at once, each with file, key, what was found and what is allowed. Nothing here talks to AWS or
imports the SageMaker SDK, and nothing else in the build half reads the environment.
"""

import csv
import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sagemaker_project_kit import __version__, variables
from sagemaker_project_kit.names import PROJECT_NAME_LENGTH, is_name
from sagemaker_project_kit.pipeline import facts, wheels
from sagemaker_project_kit.pipeline.sources import TEAM
from sagemaker_project_kit.pipeline.tables import Model, Settings, Table
from sagemaker_project_runtime.steps.known_metrics import METRICS, MetricError, is_known, names

# What a first try on somebody's own file (`make run DATA=…`) must reach: no worse than a blind guess.
FIRST_TRY: dict[str, tuple[str, float]] = {
    "binary": ("auc", 0.5),
    "multiclass": ("accuracy", 0.0),
    "regression": ("r2", 0.0),
}

# A key of project.toml that an older kit knew → what to do: {"train.spot": "say it with [train] capacity"}.
# It stays here for good: somebody may come from any older version.
DROPPED: dict[str, str] = {}


class SettingsError(Exception):
    """One or more problems with project.toml or the environment; the message lists them all."""

    def __init__(self, problems: list[str]) -> None:
        noun = "problem" if len(problems) == 1 else "problems"
        super().__init__(
            "\n".join([f"{len(problems)} {noun} to solve before anything can run:", *map("  - {}".format, problems)])
        )
        self.problems = problems


class Override(Table):
    """`make run DATA=… TARGET=… PROBLEM=…`: somebody's own file, without editing project.toml."""

    data: str = ""
    target: str = ""
    problem: str = ""


def load(root: Path, environ: Mapping[str, str] = os.environ, override: Override | None = None) -> Settings:
    """Read `root`/project.toml and the environment.

    Raises:
        SettingsError: listing every unknown key, wrong type, impossible value and column that the data does not have.
    """
    tables = _apply(override or Override(), _read_toml(root / "project.toml"))
    tables["environment"] = _environment(environ, tables)
    told = {"name": variables.PROJECT_NAME, **variables.ANSWERED}
    answered = {key: environ[name] for key, name in told.items() if environ.get(name)}
    if isinstance(project := tables.get("project", {}), dict):
        tables["project"] = project | answered
    where = "{key}" if override and override.data else "project.toml [data] {key}"
    model, problems = facts.read(root / TEAM / facts.FILE)
    try:
        pinned = {pin.name: pin.version for pin in wheels.read_pins(root)}
        model = model and model.model_copy(update={"wheel_version": pinned.get(model.framework, "")})
    except wheels.WheelsError as error:
        problems.append(str(error))
    problems += [*_metric_problems(tables), *_hyperparameter_problems(tables, model)]
    problems += [*_column_problems(root, tables, where), *_network_problems(environ)]
    if "model" in tables:
        problems.append("project.toml [model]: unknown key; what belongs to the model stands in model_build/model.py")
    try:
        settings = Settings.model_validate({**tables, "root": root, "model": model or facts.NONE})
    except ValidationError as error:
        raise SettingsError([*(_describe(problem, tables) for problem in error.errors()), *problems]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError([f"{path} is missing; run this from the project's folder"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([f"project.toml is not valid TOML: {error}"]) from None


def _environment(environ: Mapping[str, str], tables: dict[str, Any]) -> dict[str, str | list[str]]:
    project = tables.get("project")
    region = project.get("region") if isinstance(project, dict) else None
    rendered = region if isinstance(region, str) and not region.startswith("{{") else "us-east-1"
    lists = {field: environ[name].split(",") for field, name in variables.NETWORK.items() if environ.get(name)}
    texts = {field: environ[name] for field, name in variables.STACK.items() if environ.get(name)}
    return {"region": rendered} | lists | texts


def _network_problems(environ: Mapping[str, str]) -> list[str]:
    """Half a network would be none: the jobs would run in SageMaker's own, unnoticed."""
    given = [name for name in variables.NETWORK.values() if environ.get(name)]
    if len(given) in (0, len(variables.NETWORK)):
        return []
    both = " and ".join(variables.NETWORK.values())
    return [f"environment variables {both}: must be given together; found {given[0]} alone"]


def _apply(override: Override, tables: dict[str, Any]) -> dict[str, Any]:
    """Put somebody's own file in the place of the project's: what was said about the old columns no longer holds."""
    if not any((override.data, override.target, override.problem)):
        return tables
    if not all((override.data, override.target, override.problem)):
        raise SettingsError(
            ["your own file needs all three: make run DATA=file.csv TARGET=column PROBLEM=binary|regression|multiclass"]
        )
    if override.problem not in FIRST_TRY:
        hint = f"must be one of {', '.join(FIRST_TRY)}{_nearest(override.problem, FIRST_TRY)}"
        raise SettingsError([f"PROBLEM={override.problem}: {hint}"])
    metric, threshold = FIRST_TRY[override.problem]
    split = tables.get("data", {}).get("split", {})
    data = {"source": override.data, "target": override.target, "problem_type": override.problem, "split": split}
    project = {**tables.get("project", {}), "name": _first_try_name(tables, override.data)}
    return {**tables, "project": project, "data": data, "evaluate": {"metric": metric, "threshold": threshold}}


def _first_try_name(tables: dict[str, Any], source: str) -> str:
    """A name of its own, so that a first try is never compared with the project's champion."""
    name = tables.get("project", {}).get("name", "")
    start = name[:15] if is_name(str(name), PROJECT_NAME_LENGTH) else "try"
    stem = re.sub(r"[^a-zA-Z0-9]+", "-", Path(source).stem).strip("-") or "data"
    return f"{start.strip('-')}-{stem}"[:32].strip("-")


def _describe(problem: Any, tables: dict[str, Any]) -> str:
    """One pydantic problem as a sentence in the words of project.toml."""
    path = [str(part) for part in problem["loc"]]
    table, key = ".".join(path[:-1]), path[-1] if path else ""
    where = f"project.toml [{table}] {key}" if table else f"project.toml [{key}]"
    if path[:1] == ["environment"]:
        where = f"environment variable for {key}"
    if problem["type"] == "extra_forbidden":
        if instead := DROPPED.get(".".join(path)):
            return f"{where}: version {__version__} of the kit has dropped this key: {instead}"
        hint = _nearest(key, _known_keys(path[:-1]))
        newer = "" if "did you mean" in hint else f" (a newer kit than {__version__} may know it)"
        return f"{where}: unknown key{hint}{newer}"
    if problem["type"] == "missing":
        return f"{where}: is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}; found {problem['input']!r}"


def _known_keys(path: list[str]) -> list[str]:
    """The keys allowed in the table at `path`."""
    model: type[BaseModel] = Settings
    for part in path:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return [name for name in model.model_fields if name not in ("root", "environment", "model")]


def _nearest(word: str, known: Iterable[str]) -> str:
    allowed = list(known)
    if match := difflib.get_close_matches(word, allowed, n=1, cutoff=0.5):
        return f"; did you mean {match[0]!r}?"
    more = f" and {len(allowed) - 12} more" if len(allowed) > 12 else ""
    return f"; allowed: {', '.join(allowed[:12])}{more}" if allowed else ""


def _table(tables: dict[str, Any], name: str) -> dict[str, Any]:
    """A table as it was read: problems of other keys must not hide those of these."""
    found = tables.get(name)
    return found if isinstance(found, dict) else {}


def _metric_problems(tables: dict[str, Any]) -> list[str]:
    metric, problem_type = _table(tables, "evaluate").get("metric"), _table(tables, "data").get("problem_type")
    if not isinstance(metric, str) or problem_type not in METRICS:
        return []
    try:
        if is_known(metric, problem_type):
            return []
        known = names(problem_type)
    except MetricError as error:
        return [f"project.toml [evaluate] metric: {metric!r} is none of the kit's, and {error}"]
    return [f"project.toml [evaluate] metric: {metric!r} is not a {problem_type} metric{_nearest(metric, known)}"]


def _hyperparameter_problems(tables: dict[str, Any], model: Model | None) -> list[str]:
    """Names that model.py does not declare, which most frameworks would ignore, and values of another kind."""
    if model is None:
        return []
    train = _table(tables, "train")
    known = model.hyperparameters
    found = []
    for name, value in _table(train, "hyperparameters").items():
        where = f"project.toml [train.hyperparameters] {name}"
        if name not in known:
            found.append(f"{where}: model_build/model.py declares no such hyperparameter{_nearest(name, known)}")
        elif not _is_of(known[name], value):
            found.append(f"{where}: must be {_KINDS[known[name]]}, as model_build/model.py declares; found {value!r}")
    for name, values in _table(_table(train, "tuning"), "ranges").items():
        where = f"project.toml [train.tuning.ranges] {name}"
        if name not in model.tunable:
            found.append(
                f"{where}: is not among the hyperparameters that a search may vary (TUNABLE in model_build/model.py)"
                f"{_nearest(name, model.tunable)}"
            )
        elif isinstance(values, list) and not all(_is_of(model.tunable[name], value) for value in values):
            found.append(f"{where}: must hold {_KINDS[model.tunable[name]]} on both sides; found {values!r}")
    return [*found, *_objective_problems(tables, model)]


def _objective_problems(tables: dict[str, Any], model: Model) -> list[str]:
    """A search needs to know which of two models is the better one."""
    strategy = _table(_table(tables, "train"), "tuning").get("strategy", "off")
    problem_type = _table(tables, "data").get("problem_type")
    if strategy == "off" or problem_type not in METRICS or problem_type in model.objectives:
        return []
    known = f"OBJECTIVES in model_build/model.py has none for {problem_type}"
    return [f"project.toml [train.tuning] strategy: a search needs a metric to look at, and {known}"]


# A kind of hyperparameter → what a value of it is, in words.
_KINDS = {"Integer": "a whole number", "Continuous": "a number", "Categorical": "a word, a number, true or false"}


def _is_of(kind: str, value: object) -> bool:
    if kind == "Categorical":
        return isinstance(value, bool | int | float | str)
    return not isinstance(value, bool) and isinstance(value, int if kind == "Integer" else int | float)


def _column_problems(root: Path, tables: dict[str, Any], where: str) -> list[str]:
    """Columns that settings name and a local file does not have; files in S3 are checked by the Preprocess step."""
    data = _table(tables, "data")
    source = data.get("source")
    if not isinstance(source, str) or source.startswith("s3://"):
        return []
    try:
        columns = read_header(find_source(root, source))
    except SettingsError as error:
        return error.problems
    named = [(key, name) for key in ("target", "time_column") if isinstance(name := data.get(key), str) and name]
    named += [(key, name) for key in ("drop", "categorical", "numeric") for name in _texts(data.get(key))]
    return [
        f"{where.format(key=key)}: {source} has no column {name!r}{_nearest(name, columns)}"
        for key, name in named
        if name not in columns
    ]


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def find_source(root: Path, source: str) -> Path:
    """The data file on this machine.

    Raises:
        SettingsError: there is no such file.
    """
    path = root / source
    if not path.is_file():
        hint = f"give a CSV file (relative to {root}) or an s3:// URI"
        raise SettingsError([f"[data] source: there is no file {source}; {hint}"])
    return path


def read_header(path: Path) -> list[str]:
    """The column names of a CSV file.

    Raises:
        SettingsError: the file is empty, is not text, has no row, or has two columns of one name.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            first, second = lines.readline(), lines.readline()
    except UnicodeDecodeError:
        raise SettingsError([f"[data] source: {path.name} is not text in UTF-8; save it as CSV UTF-8"]) from None
    if not first.strip() or "\0" in first:
        raise SettingsError([f"[data] source: {path.name} has no header line; its first line must name the columns"])
    separator = max(",;\t", key=first.count)
    names = [name.strip() for name in next(csv.reader([first], delimiter=separator))]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError([f"[data] source: {path.name} has two columns named {', '.join(map(repr, twice))}"])
    if not second.strip() and first.count('"') % 2 == 0:
        raise SettingsError([f"[data] source: {path.name} has a header and no rows"])
    return names
