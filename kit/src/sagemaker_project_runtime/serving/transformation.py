"""The one fitted transformation from raw columns to features: preprocessing and inference both call `transform`.

It is saved as versioned JSON, because the images that fit it and that serve it carry different library versions.
It refuses to fit anything (sagemaker_project_runtime.steps.profile does) and to import pandas or scikit-learn.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.serving.derived import Given, derive
from sagemaker_project_runtime.serving.values import NAN, Value, category, moment, number, shown

VERSION = 1
FILE_NAME = "transformation.json"
OTHER = "(other)"

PARTS: dict[str, Callable[[datetime], float]] = {
    "year": lambda at: at.year,
    "month": lambda at: at.month,
    "day": lambda at: at.day,
    "weekday": lambda at: at.weekday(),
    "hour": lambda at: at.hour,
}


class TransformationError(Exception):
    """The transformation file cannot be used by this code."""


class UnfitValueError(ValueError):
    """One cell does not fit its column: `row` counts from 0 within the table given."""

    def __init__(self, row: int, column: str, value: object, expected: str) -> None:
        super().__init__(f"row {row + 1}, column {column!r}: {shown(value)} is not {expected}")
        self.row, self.column, self.value = row, column, value


@dataclass(frozen=True)
class Feature:
    """One column of the matrix; `type`: q for a quantity, c for a category's code."""

    name: str
    type: str
    column: str


@dataclass(frozen=True)
class Numeric:
    """A column of numbers. `lenient`: the data held other values, which count as missing."""

    name: str
    minimum: float | None = None
    maximum: float | None = None
    missing: bool = False
    lenient: bool = False
    kind: ClassVar[str] = "numeric"
    expected: ClassVar[str] = "a number"

    def features(self) -> list[Feature]:
        return [Feature(self.name, "q", self.name)]

    def encode(self, values: Sequence[Value]) -> list[list[float]]:
        return [[number(value) for value in values]]


class _Codes(dict[Any, float]):
    """Text → code; a value that is not text, or has spaces around it, is brought into the form it is known by."""

    def __init__(self, categories: Sequence[str], other: bool) -> None:
        super().__init__({text: float(code) for code, text in enumerate(categories)})
        self.unseen = float(len(categories)) if other else NAN
        self.folded = {text.casefold(): float(code) for code, text in enumerate(categories)}

    def __missing__(self, value: Value) -> float:
        text = category(value)
        if text is None:
            return NAN
        if isinstance(value, bool):
            return self.folded.get(text.casefold(), self.unseen)
        if isinstance(value, (int, float)):
            return self.get(text, self.get(str(_as_float(value)), self.unseen))
        return self.get(text, self.unseen)


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return NAN


@dataclass(frozen=True)
class Categorical:
    """A column of categories. `other`: rarer values were seen; they and unseen ones share one further code."""

    name: str
    categories: tuple[str, ...] = ()
    other: bool = False
    missing: bool = False
    lenient: bool = False
    kind: ClassVar[str] = "categorical"
    expected: ClassVar[str] = "a text or a number"
    codes: _Codes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))
        object.__setattr__(self, "codes", _Codes(self.categories, self.other))

    def features(self) -> list[Feature]:
        return [Feature(self.name, "c", self.name)]

    def encode(self, values: Sequence[Value]) -> list[list[float]]:
        codes = self.codes
        try:
            return [[codes[value] for value in values]]
        except TypeError as error:  # a list or an object is not hashable
            raise ValueError(str(error)) from error


@dataclass(frozen=True)
class Date:
    """A column of dates, taken apart into the parts that vary in training. Wall clock as written, offsets ignored."""

    name: str
    formats: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    minimum: str | None = None
    maximum: str | None = None
    missing: bool = False
    lenient: bool = False
    kind: ClassVar[str] = "date"

    def __post_init__(self) -> None:
        object.__setattr__(self, "formats", tuple(self.formats))
        object.__setattr__(self, "parts", tuple(self.parts))

    @property
    def expected(self) -> str:
        return f"a date ({', '.join(self.formats)})"

    def features(self) -> list[Feature]:
        return [Feature(f"{self.name}.{part}", "q", self.name) for part in self.parts]

    def encode(self, values: Sequence[Value]) -> list[list[float]]:
        moments = [moment(value, self.formats) for value in values]
        return [[NAN if at is None else PARTS[part](at) for at in moments] for part in self.parts]


@dataclass(frozen=True)
class Raw:
    """A column that is no feature: the team's own columns are made from it, so a row must have it."""

    name: str
    missing: bool = False
    lenient: bool = False
    kind: ClassVar[str] = "raw"
    expected: ClassVar[str] = "a text or a number"

    def features(self) -> list[Feature]:
        return []

    def encode(self, values: Sequence[Value]) -> list[list[float]]:
        return []


Column = Numeric | Categorical | Date | Raw
_KINDS: dict[str, type[Numeric] | type[Categorical] | type[Date] | type[Raw]] = {
    "raw": Raw,
    "numeric": Numeric,
    "categorical": Categorical,
    "date": Date,
}


@dataclass(frozen=True)
class Dropped:
    """A column that training saw and the model does not use: accepted in requests and ignored."""

    name: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Target:
    """What is predicted. Binary: classes are (negative, positive). Regression: no classes."""

    name: str
    problem_type: str
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))

    @property
    def positive_label(self) -> str | None:
        return self.classes[1] if self.problem_type == "binary" else None


@dataclass(frozen=True)
class Transformation:
    """Fitted columns in the order of the training file; `transform` is the only way from raw values to features.

    `names`: the columns a row must have; `known`: those it may have (the target and dropped columns are ignored).
    `derived`: the columns that no row has, because the team's features.py makes them.
    """

    target: Target
    columns: tuple[Column, ...]
    dropped: tuple[Dropped, ...] = ()
    derived: tuple[str, ...] = ()
    names: tuple[str, ...] = field(init=False)
    known: frozenset[str] = field(init=False)
    features: tuple[Feature, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(column.name for column in self.inputs))
        ignored = (self.target.name, *(column.name for column in self.dropped))
        object.__setattr__(self, "known", frozenset((*self.names, *ignored)))
        object.__setattr__(self, "features", tuple(one for column in self.columns for one in column.features()))

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that a row must have."""
        return tuple(column for column in self.columns if column.name not in self.derived)

    @property
    def feature_types(self) -> list[str]:
        return [feature.type for feature in self.features]

    def transform(self, table: Mapping[str, Sequence[Value]], unfit: set[str] | None = None) -> NDArray[np.float32]:
        """The feature matrix (rows, features), NaN for missing. `table` holds every name in `names`, all of one length.

        A value that does not fit its column raises UnfitValueError; with a set as `unfit` it counts as missing instead,
        and the column's name is added to the set. Raises DerivedError where the team's own columns cannot be made.
        """
        if self.derived:
            given = Given({name: table[name] for name in self.names}, {self.target.name: "which is the target"})
            table = {**table, **derive(given)}
        vectors: list[list[float]] = []
        for column in self.columns:
            values = table[column.name]
            try:
                vectors += column.encode(values)
            except ValueError:
                vectors += _encode_cautiously(column, values, unfit)
        with np.errstate(over="ignore"):
            matrix = np.ascontiguousarray(np.array(vectors, dtype=np.float32).T)
        if np.isinf(matrix).any():  # beyond float32
            matrix[np.isinf(matrix)] = np.nan
        return matrix

    def with_lenient(self, names: set[str]) -> "Transformation":
        """The same, but values that do not fit these columns count as missing."""
        columns = (replace(column, lenient=True) if column.name in names else column for column in self.columns)
        return replace(self, columns=tuple(columns))

    def to_json(self) -> str:
        columns = [{"kind": column.kind, **_plain(column)} for column in self.columns]
        document = {
            "version": VERSION,
            "target": asdict(self.target),
            "columns": columns,
            "dropped": [asdict(column) for column in self.dropped],
            "features": [asdict(feature) for feature in self.features],
        }
        if self.derived:
            document["derived"] = list(self.derived)
        return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, directory: Path) -> None:
        (directory / FILE_NAME).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def from_json(cls, text: str) -> "Transformation":
        """Raises TransformationError when another version of this code wrote the text, or when it is damaged."""
        try:
            document = json.loads(text)
            version = document["version"]
            if version != VERSION:
                message = (
                    f"{FILE_NAME} has version {version}, this code reads version {VERSION}: train the model again."
                )
                raise TransformationError(message)
            columns = tuple(_column(entry) for entry in document["columns"])
            dropped = tuple(Dropped(**entry) for entry in document["dropped"])
            return cls(Target(**document["target"]), columns, dropped, tuple(document.get("derived", ())))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise TransformationError(f"{FILE_NAME} is damaged ({error}): train the model again.") from error

    @classmethod
    def load(cls, directory: Path) -> "Transformation":
        try:
            text = (directory / FILE_NAME).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise TransformationError(
                f"{directory} holds no {FILE_NAME}: this is not a model that this project trained."
            ) from None
        return cls.from_json(text)


def _encode_cautiously(column: Column, values: Sequence[Value], unfit: set[str] | None) -> list[list[float]]:
    rows = [_encode_cell(column, row, value, unfit) for row, value in enumerate(values)]
    return [list(vector) for vector in zip(*rows, strict=True)]


def _encode_cell(column: Column, row: int, value: Value, unfit: set[str] | None) -> list[float]:
    try:
        return [vector[0] for vector in column.encode([value])]
    except ValueError as error:
        nested = isinstance(value, (list, dict))
        if nested or not (column.lenient or unfit is not None):
            raise UnfitValueError(row, column.name, value, column.expected) from error
        if unfit is not None:
            unfit.add(column.name)
        return [NAN] * len(column.features())


def _plain(column: Column) -> dict[str, Any]:
    return {one.name: getattr(column, one.name) for one in fields(column) if one.init}


def _column(entry: dict[str, Any]) -> Column:
    return _KINDS[entry["kind"]](**{key: value for key, value in entry.items() if key != "kind"})


def nearest(name: str, names: Sequence[str]) -> str:
    """' (did you mean 'x'?)' when one of the names is near enough, else nothing."""
    folded = {known.casefold(): known for known in reversed(names)}
    close = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f" (did you mean {folded[close[0]]!r}?)" if close else ""
