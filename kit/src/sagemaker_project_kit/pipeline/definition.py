"""The pipeline definition: written by the SDK when its shape changes, otherwise taken from the last time.

Importing the SDK takes ten seconds. The definition's shape depends on pipeline.py and on a few settings; code, data and
the defaults of parameters are filled in afterwards, so that editing a step or a threshold never imports it.
"""

import contextlib
import gc
import importlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sagemaker_project_kit.pipeline.sources import PIPELINE, TEAM, shaping_files, source_files
from sagemaker_project_kit.pipeline.staging import Locations, content_hash, stage
from sagemaker_project_kit.pipeline.tables import Settings

# The distributions that pipeline.py is written with.
SDK = ("sagemaker", "sagemaker-core", "sagemaker-mlops", "sagemaker-serve", "sagemaker-train")


@dataclass(frozen=True)
class Synthesis:
    """What `synthesize` wrote, and whether the SDK was needed for it."""

    definition: Path
    assets: Path
    reused: bool


def synthesize(
    settings: Settings, build: Path, commit: str = "unknown", on_import: Callable[[], None] = lambda: None
) -> Synthesis:
    """Write build/definition.json and build/assets.json for `settings` at a git `commit`.

    `on_import` is called before the slow part.

    Raises:
        SettingsError: the data file is not there.
        DefinitionError: the definition asks for something that SageMaker's API does not have.
    """
    staged = stage(settings, build / "staged")
    template, reused = shape(settings, build, on_import)
    definition = _write_checked(build / "definition.json", fill(template, settings, staged.locations, commit))
    paths = {uri: str(path) for uri, path in staged.assets.items()}
    return Synthesis(definition, _write(build / "assets.json", json.dumps(paths, ensure_ascii=False, indent=2)), reused)


def shape(settings: Settings, build: Path, on_import: Callable[[], None] = lambda: None) -> tuple[str, bool]:
    """The definition with places left for code, data and defaults; whether it was taken from the last time."""
    template = build / "cache" / f"{fingerprint(settings)}.json"
    with contextlib.suppress(FileNotFoundError):
        return template.read_text(encoding="utf-8"), True
    on_import()
    text = write_with_sdk(settings)
    _write(template, text)
    return text, False


def fingerprint(settings: Settings) -> str:
    """Changes whenever the definition's shape may change."""
    shape = settings.model_dump(
        mode="json",
        exclude={
            "root": True,
            "evaluate": {"threshold", "champion_tolerance"},
            "data": {"split", "drop", "categorical", "numeric", "time_column", "positive_label"},
            "train": {"instance_type", "processing_instance_type"},
        },
    )
    paths = [*source_files(Path(__file__).parent), *shaping_files(settings.root)]
    sources = [(path.name, path.read_bytes()) for path in paths]
    # Which way a gate points follows from the metric, which may be the team's own.
    direction = str(settings.evaluate.lower_is_better).encode()
    known = json.dumps(shape, sort_keys=True).encode()
    return content_hash([*sources, ("sdk", _sdk_versions()), ("settings", known), ("lower is better", direction)])


def fill(template: str, settings: Settings, locations: Locations, commit: str) -> str:
    """The definition with today's code, configuration, data and defaults in the places left for them."""
    placeholders = Locations.placeholders(settings)
    definition: dict[str, Any] = without_empty(json.loads(placeholders.resolve(template, locations)))
    defaults = {
        "GitCommit": commit,
        "MetricThreshold": settings.evaluate.threshold,
        "ChampionTolerance": settings.evaluate.champion_tolerance,
        "TrainingInstanceType": settings.train.instance_type,
        "ProcessingInstanceType": settings.train.processing_instance_type,
    }
    for parameter in definition["Parameters"]:
        parameter["DefaultValue"] = defaults.get(parameter["Name"], parameter.get("DefaultValue"))
    return json.dumps(definition, ensure_ascii=False, indent=2) + "\n"


def write_with_sdk(settings: Settings) -> str:
    gc.disable()  # what the SDK's import makes stays for ever: looking through it for garbage is a sixth of the time
    try:
        from sagemaker_project_kit.pipeline.session import offline

        with offline():
            pipeline = importlib.import_module(f"{TEAM}.{PIPELINE.removesuffix('.py')}")
            text: str = pipeline.build(settings, Locations.placeholders(settings))
            return text
    finally:
        gc.enable()


def _write_checked(path: Path, definition: str) -> Path:
    """Refuse a definition that SageMaker would refuse; the same text as last time was checked then."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_text(encoding="utf-8") == definition:
            return path
    from sagemaker_project_kit.pipeline.validation import check

    check(json.loads(definition))
    return _write(path, definition)


def without_empty(value: Any) -> Any:
    """Leave out the nulls and empty objects that the SDK writes for what was not asked for."""
    if isinstance(value, dict):
        return {
            key: without_empty(item)
            for key, item in value.items()
            if item is not None and (item != {} or key == "Metadata")
        }
    return [without_empty(item) for item in value] if isinstance(value, list) else value


def _sdk_versions() -> bytes:
    try:
        return " ".join(map(metadata.version, SDK)).encode()
    except metadata.PackageNotFoundError:
        return b"none"


def _write(path: Path, text: str) -> Path:
    """Write by renaming, so that an interrupted synthesis leaves no half-written file to be taken for a whole one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return path
