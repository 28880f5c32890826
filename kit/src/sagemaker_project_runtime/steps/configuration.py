"""preprocess.json: what project.toml says about the data. Refuses what does not fit the file's columns, all at once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sagemaker_project_runtime.serving.transformation import nearest
from sagemaker_project_runtime.steps.errors import ConfigurationError

PROBLEM_TYPES = ("regression", "binary", "multiclass")


@dataclass(frozen=True)
class Split:
    """The share of rows for each purpose; `stratify`: the same share of every class."""

    train: float = 0.7
    validation: float = 0.15
    test: float = 0.15
    seed: int = 7
    stratify: bool = True


@dataclass(frozen=True)
class Configuration:
    """The keys of preprocess.json."""

    target: str
    problem_type: str
    positive_label: str | None = None
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    time_column: str | None = None
    split: Split = field(default_factory=Split)

    @classmethod
    def load(cls, path: Path) -> "Configuration":
        """Raises ConfigurationError for a file that is not there, not JSON, or has unknown keys."""
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read ({error.strerror}).") from error
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"{path.name} cannot be used: {error}.") from error

    @classmethod
    def from_dict(cls, document: dict[str, Any]) -> "Configuration":
        values = dict(document)
        split = Split(**values.pop("split", {}))
        for key in ("drop", "categorical", "numeric"):
            values[key] = tuple(values.get(key) or ())
        configuration = cls(**values, split=split)
        if configuration.problem_type not in PROBLEM_TYPES:
            raise ValueError(f"problem_type is {configuration.problem_type!r}, allowed are {', '.join(PROBLEM_TYPES)}")
        shares = (split.train, split.validation, split.test)
        if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"split is {shares}: the three shares must be above 0 and sum up to 1")
        return configuration

    def check(self, header: Sequence[str]) -> None:
        """Raises ConfigurationError with every name that is no column of the file and every contradiction."""
        problems = [*self._unknown(header), *self._contradictions()]
        if problems:
            shown = ", ".join(header[:20]) + (f" and {len(header) - 20} more" if len(header) > 20 else "")
            listed = "\n  ".join(problems)
            raise ConfigurationError(
                f"The configuration ([data] in project.toml) does not fit the file:\n  {listed}\n"
                f"  The file's columns: {shown}"
            )

    def _unknown(self, header: Sequence[str]) -> list[str]:
        named = [
            ("target", self.target),
            *((key, name) for key in ("drop", "categorical", "numeric") for name in getattr(self, key)),
        ]
        if self.time_column:
            named.append(("time_column", self.time_column))
        return [
            f"{key}: there is no column {name!r}{nearest(name, header)}." for key, name in named if name not in header
        ]

    def _contradictions(self) -> list[str]:
        both = [name for name in self.categorical if name in self.numeric]
        problems = [f"{name!r} is named both in categorical and in numeric." for name in both]
        for key in ("drop", "categorical", "numeric"):
            if self.target in getattr(self, key):
                problems.append(f"{key}: {self.target!r} is the target.")
        if self.time_column and self.time_column in (self.target, *self.drop):
            problems.append(f"time_column: {self.time_column!r} is dropped or the target.")
        return problems
