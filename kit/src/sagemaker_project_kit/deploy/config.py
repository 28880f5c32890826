"""config/<stage>.json: what differs between stages, in CodePipeline's template-configuration form.

{"Parameters": {…}, "Tags": {…}, "Verify": {…}}: parameters of the templates, tags of the stacks, and how hard verify
looks. Values are text, as CloudFormation takes them. An unknown key is an error, never ignored.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sagemaker_project_kit.deploy.errors import ConfigError, nearest
from sagemaker_project_kit.names import TAG_CHARACTERS, TAG_KEY, TAG_VALUE

_SECTIONS = ("Parameters", "Tags", "Verify")


@dataclass(frozen=True)
class Budget:
    """The section Verify: the load and what must hold under it. Latency in milliseconds, shares from 0 to 1.

    Where Verify says nothing of latency and errors, the limits of the stage's alarms hold: a release that would set
    them off must not pass.
    """

    # 300 requests: as many as a p99 needs of which three may be slow. Six seconds of them are too short a load for
    # autoscaling and the alarms to be concerned, and no model with a mean latency below a tenth of a second notices.
    seconds: float = 6
    requests_per_second: float = 50
    concurrency: int = 8
    # A load that misses the latency is repeated: one stall of whatever shares the machine does not end a release.
    attempts: int = 3
    p99_milliseconds: float = 500
    error_share: float = 0.01
    timeout_seconds: float = 10
    tolerance: float = 1e-4
    capture_wait_seconds: float = 300
    endpoint_wait_seconds: float = 1800

    @property
    def requests(self) -> int:
        """How many requests the load has."""
        return max(1, round(self.seconds * self.requests_per_second))


# What follows from parameters of the templates, as their sum.
_OF_PARAMETERS = {"p99_milliseconds": ("MaxModelLatencyMs", "MaxOverheadLatencyMs"), "error_share": ("Max5xxShare",)}
_WHOLE = {"concurrency", "attempts"}
# Low and high of each key of Verify. A load test is no denial of service: it is bounded in every direction.
_LIMITS: dict[str, tuple[float, float]] = {
    "seconds": (1, 900),
    "requests_per_second": (0.1, 1000),
    "concurrency": (1, 64),
    "attempts": (1, 10),
    "p99_milliseconds": (1, 60_000),
    "error_share": (0, 1),
    "timeout_seconds": (0.1, 60),
    "tolerance": (0, 1),
    "capture_wait_seconds": (0, 1800),
    "endpoint_wait_seconds": (0, 7200),
}


@dataclass(frozen=True)
class StageConfig:
    """One stage's file."""

    stage: str
    file: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    budget: Budget


def load(folder: Path, stage: str) -> StageConfig:
    """Read config/<stage>.json. Raises ConfigError with every problem."""
    file = f"config/{stage}.json"
    document = _read(folder / "config" / f"{stage}.json", file)
    problems = [*_section_problems(document, file)]
    parameters, tags, verify = (document.get(section) or {} for section in _SECTIONS)
    if not problems:
        problems = [*_text_problems(parameters, f"{file} Parameters"), *_tag_problems(tags, file)]
        problems += _verify_problems(verify, file)
    if problems:
        raise ConfigError(problems)
    return StageConfig(stage, file, parameters, tags, _budget(parameters, verify))


def _budget(parameters: Mapping[str, str], verify: Mapping[str, float]) -> Budget:
    numbers: dict[str, Any] = {**_limits(parameters)}
    numbers |= {key: int(value) if key in _WHOLE else float(value) for key, value in verify.items()}
    return Budget(**numbers)


def _limits(parameters: Mapping[str, str]) -> dict[str, float]:
    """Limits of the alarms, as far as they are there and numbers; whether they are is for the templates to say."""
    found = {}
    for key, names in _OF_PARAMETERS.items():
        values = [parameters.get(name, "") for name in names]
        if all(re.fullmatch(r"\d+(\.\d+)?", value) for value in values):
            found[key] = sum(map(float, values))
    return found


def _read(path: Path, file: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_unique)
    except FileNotFoundError:
        raise ConfigError([f"{file} is missing: each stage needs one"]) from None
    except _TwiceError as error:
        raise ConfigError([f"{file}: the key {error} occurs twice"]) from None
    except ValueError as error:
        raise ConfigError([f"{file} is not JSON: {error}"]) from None
    if not isinstance(document, dict):
        raise ConfigError([f"{file}: must be an object with {', '.join(_SECTIONS)}; found {type(document).__name__}"])
    return document


class _TwiceError(Exception):
    """A key occurs twice; json would silently take the last."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(repr(next(name for name in names if names.count(name) > 1)))
    return document


def _section_problems(document: dict[str, Any], file: str) -> Iterator[str]:
    for section, content in document.items():
        if section not in _SECTIONS:
            yield f"{file} {section}: unknown key{nearest(section, _SECTIONS)}"
        elif not isinstance(content, dict):
            yield f"{file} {section}: must be an object; found {content!r}"


def _text_problems(values: Mapping[str, Any], where: str) -> Iterator[str]:
    for key, value in values.items():
        if not isinstance(value, str):
            yield f"{where}.{key}: must be text in quotes, as CloudFormation takes it; found {json.dumps(value)}"


def _tag_problems(tags: Mapping[str, Any], file: str) -> Iterator[str]:
    yield from _text_problems(tags, f"{file} Tags")
    for key, value in tags.items():
        if key.startswith(("aws:", "sagemaker:")):
            yield f"{file} Tags.{key}: is set by release or by AWS; take it out"
        elif not TAG_KEY.fullmatch(key) or (isinstance(value, str) and not TAG_VALUE.fullmatch(value)):
            allowed = f"{TAG_CHARACTERS}, at most 128 in a key and 256 in a value"
            yield f"{file} Tags.{key}: AWS tags take {allowed}; found {value!r}"


def _verify_problems(verify: Mapping[str, Any], file: str) -> Iterator[str]:
    known = [field.name for field in fields(Budget)]
    for key, value in verify.items():
        if key not in known:
            yield f"{file} Verify.{key}: unknown key{nearest(key, known)}"
            continue
        low, high = _LIMITS[key]
        if not _is_number(value) or not low <= value <= high:
            yield f"{file} Verify.{key}: must be a number from {low:g} to {high:g}; found {json.dumps(value)}"
        elif key in _WHOLE and value != int(value):
            yield f"{file} Verify.{key}: must be a whole number; found {json.dumps(value)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
