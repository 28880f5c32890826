"""Raw rows → training, validation and test sets and the fitted transformation.

Reads the file three times in chunks (target and time; training rows; all rows), so that memory does not grow with it.
Writes the same bytes for the same input. The test set stays raw: evaluation sends it through the serving handler.
"""

import argparse
import csv
import json
import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC
from itertools import compress
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.serving.transformation import Column, Dropped, Transformation
from sagemaker_project_runtime.serving.values import DATE_FORMATS, moment, number, shown
from sagemaker_project_runtime.steps import errors, profile, split, table
from sagemaker_project_runtime.steps.configuration import Configuration
from sagemaker_project_runtime.steps.derivation import Derivation
from sagemaker_project_runtime.steps.errors import DataError
from sagemaker_project_runtime.steps.profile import Profile
from sagemaker_project_runtime.steps.table import Table
from sagemaker_project_runtime.steps.target import NotNumericError, Reader, TargetColumn

BY_CONFIGURATION = "the configuration drops it"


@dataclass(frozen=True)
class Fitted:
    """The transformation, and what a person should know about each column that is kept."""

    transformation: Transformation
    notes: dict[str, str]


def preprocess(data: Path, configuration: Configuration, output: Path) -> dict[str, Any]:
    """Write train/, validation/, test/, transformation/ and summary/ into `output`; returns the summary."""
    path = table.find(data)
    source = table.open_table(path, configuration.target)
    configuration.check(source.header)
    target, times = read_target(source, configuration)
    parts = assign(target, times, configuration)
    fitted = fit(source, configuration, target, parts)
    writer = _Writer(source, fitted.transformation, target, parts, output)
    transformation = writer.write()
    summary = summarize(source, fitted, target, parts, writer.unfit)
    _folder(output, "transformation")
    transformation.save(output / "transformation")
    _write_json(_folder(output, "summary") / "summary.json", summary)
    return summary


# --- first reading: the target, and the time that splits -------------------------------------------------------------


def read_target(source: Table, configuration: Configuration) -> tuple[TargetColumn, NDArray[np.float64] | None]:
    """The target of every row and, with a time_column, its moment in seconds. Raises DataError."""
    position = source.header.index(configuration.target)
    reader, times = Reader(configuration), array("d")
    read_time = _clock(source, configuration.time_column) if configuration.time_column else None
    for chunk in source.chunks():
        cells = chunk.columns()
        reader.add(cells[position])
        if read_time:
            times.extend(read_time(chunk.start, cells))
    try:
        return reader.finish(), np.frombuffer(times) if read_time else None
    except NotNumericError as error:
        line = source.line_of(error.position)
        raise DataError(f"{source.path.name}, line {line}: {error.what}, as a regression needs. Correct it.") from error


def _clock(source: Table, column: str) -> Callable[[int, list[Sequence[str]]], list[float]]:
    """Reads the time column of a chunk as seconds (a column of plain numbers: as they are). Raises DataError."""
    position = source.header.index(column)

    def read(start: int, cells: list[Sequence[str]]) -> list[float]:
        seconds = [_moment_or_number(cell) for cell in cells[position]]
        if None in seconds:
            bad = seconds.index(None)
            raise DataError(
                f"{source.path.name}, line {source.line_of(start + bad)}: time_column {column!r} is "
                f"{shown(cells[position][bad])}, which is not a date. Correct it, or leave time_column empty."
            )
        return [second for second in seconds if second is not None]

    return read


def _moment_or_number(cell: str) -> float | None:
    try:
        value = number(cell)
        return None if value != value else value
    except ValueError:
        pass
    try:
        at = moment(cell, DATE_FORMATS)
    except ValueError:
        return None
    return None if at is None else (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def assign(target: TargetColumn, times: NDArray[np.float64] | None, configuration: Configuration) -> NDArray[np.int8]:
    """Which part every row belongs to. Raises DataError when the training rows hold one class only."""
    shares, column = configuration.split, configuration.time_column
    if times is not None and column:
        parts = split.by_time(times, target.missing, shares, column)
    else:
        stratify = shares.stratify and bool(target.target.classes)
        parts = split.by_class(target.codes if stratify else None, target.missing, shares)
    for part in (split.TRAIN, split.TEST) if target.target.classes else ():
        if len(np.unique(target.codes[parts == part])) < 2:
            raise DataError(
                f"The {split.NAMES[part]} rows hold one value of target {target.target.name!r} only: "
                "add rows of the other, or change the split."
            )
    return parts


# --- second reading: fit on the training rows ------------------------------------------------------------------------


def fit(source: Table, configuration: Configuration, target: TargetColumn, parts: NDArray[np.int8]) -> Fitted:
    """The transformation, fitted on training rows only. Raises DataError when no feature is left."""
    named = dict.fromkeys(configuration.numeric, "numeric") | dict.fromkeys(configuration.categorical, "categorical")
    skipped = (configuration.target, *configuration.drop)
    profiles = {name: Profile(name, named.get(name) == "categorical") for name in source.header if name not in skipped}
    own = Derivation.of(source, configuration)
    for chunk in source.chunks():
        training = parts[chunk.start : chunk.start + len(chunk.rows)] == split.TRAIN
        for name, texts in own.columns(chunk).items() if own else ():
            profiles.setdefault(name, Profile(name)).add(list(compress(texts, training.tolist())))
        rows = [row for row, wanted in zip(chunk.rows, training.tolist(), strict=True) if wanted]
        for name, cells in zip(source.header, zip(*rows, strict=True), strict=False):
            if name in profiles:
                profiles[name].add(cells)
    decided = profile.fit(profiles.values(), named, configuration.time_column)
    if own:
        decided = own.keep_what_is_read(decided, profiles)
    columns = tuple(column for column in decided if not isinstance(column, Dropped))
    dropped = [Dropped(name, "unknown", BY_CONFIGURATION) for name in configuration.drop]
    dropped += [column for column in decided if isinstance(column, Dropped)]
    if not any(column.features() for column in columns):
        reasons = "; ".join(f"{column.name}: {column.reason}" for column in dropped[:10])
        raise DataError(f"{source.path.name} leaves no column to learn from ({reasons or 'there is only the target'}).")
    notes = {column.name: profile.note(profiles[column.name], column) for column in columns}
    derived = tuple(column.name for column in columns if own and column.name in own.names)
    transformation = Transformation(target.target, columns, tuple(dropped), derived)
    return Fitted(transformation, {name: text for name, text in notes.items() if text})


# --- third reading: write --------------------------------------------------------------------------------------------


class _Writer:
    """Writes the three sets. Columns in which validation or test rows hold an unfit value become lenient (`unfit`)."""

    def __init__(
        self, source: Table, transformation: Transformation, target: TargetColumn, parts: NDArray[np.int8], output: Path
    ) -> None:
        self.source, self.transformation, self.target, self.parts = source, transformation, target, parts
        self.output = output
        self.unfit: set[str] = set()
        self.format = ("%.9g" if not target.target.classes else "%d") + ",%.9g" * len(transformation.features) + "\n"

    def write(self) -> Transformation:
        with ExitStack() as stack:
            files = {part: stack.enter_context(self._open(name)) for part, name in split.NAMES.items()}
            for part in (split.TRAIN, split.VALIDATION):
                csv.writer(files[part], lineterminator="\n").writerow(self._features())
            raw = csv.writer(files[split.TEST], lineterminator="\n")
            raw.writerow(self.source.header)
            for start, rows in self._chunks():
                parts = self.parts[start : start + len(rows)]
                raw.writerows(self._only(rows, parts, split.TEST))
                self.check(self._only(rows, parts, split.TEST))
                for part in (split.TRAIN, split.VALIDATION):
                    codes = self.target.codes[start : start + len(rows)][parts == part]
                    files[part].write(self.lines(self._only(rows, parts, part), codes))
        return self.transformation.with_lenient(self.unfit)

    def _open(self, name: str) -> TextIO:
        return (_folder(self.output, name) / f"{name}.csv").open("w", encoding="utf-8", newline="")

    def _features(self) -> list[str]:
        return [self.target.target.name, *(feature.name for feature in self.transformation.features)]

    def _chunks(self) -> Iterator[tuple[int, list[list[str]]]]:
        return ((chunk.start, chunk.rows) for chunk in self.source.chunks())

    def _only(self, rows: list[list[str]], parts: NDArray[np.int8], part: int) -> list[list[str]]:
        return [row for row, wanted in zip(rows, (parts == part).tolist(), strict=True) if wanted]

    def check(self, rows: list[list[str]]) -> NDArray[np.float32]:
        """The features of these rows."""
        columns = zip(*rows, strict=True) if rows else ([] for _ in self.source.header)
        cells: dict[str, Sequence[str]] = dict(zip(self.source.header, columns, strict=True))
        return self.transformation.transform(cells, self.unfit)

    def lines(self, rows: list[list[str]], codes: NDArray[np.float64]) -> str:
        """CSV with nine digits, which bring back the same float32; nan where a value is missing."""
        matrix = np.column_stack([codes, self.check(rows)])
        return "".join([self.format % tuple(row) for row in matrix.tolist()])


# --- summary ---------------------------------------------------------------------------------------------------------


def summarize(
    source: Table, fitted: Fitted, target: TargetColumn, parts: NDArray[np.int8], unfit: set[str]
) -> dict[str, Any]:
    """What was read and what became of it, for people and for the steps that follow."""
    rows = {"total": len(parts)} | {name: int((parts == part).sum()) for part, name in split.NAMES.items()}
    rows["dropped_missing_target"] = int(target.missing.sum())
    columns = [_describe(name, fitted, unfit) for name in (*source.header, *fitted.transformation.derived)]
    return {
        "data_sha256": table.sha256(source.path),
        "file": source.path.name,
        "separator": source.separator,
        "rows": rows,
        "columns": columns,
        "target": _describe_target(target, parts),
    }


def _describe(name: str, fitted: Fitted, unfit: set[str]) -> dict[str, Any]:
    transformation = fitted.transformation
    kept: dict[str, Column] = {column.name: column for column in transformation.columns}
    if name in kept:
        role = "derived" if name in transformation.derived else "feature" if kept[name].features() else "read"
        entry = {"name": name, "role": role, "kind": kept[name].kind}
        text = fitted.notes.get(name) or ("values that do not fit count as missing" if name in unfit else None)
        return entry | ({"note": text} if text else {})
    for column in transformation.dropped:
        if column.name == name:
            return {"name": name, "role": "dropped", "kind": column.kind, "reason": column.reason}
    return {"name": name, "role": "target", "kind": "categorical" if transformation.target.classes else "numeric"}


def _describe_target(target: TargetColumn, parts: NDArray[np.int8]) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": target.target.name, "problem_type": target.target.problem_type}
    if not target.target.classes:
        values = target.codes[~target.missing]
        return entry | {"min": float(values.min()), "max": float(values.max()), "mean": float(values.mean())}
    entry |= {"classes": list(target.target.classes), "positive_label": target.target.positive_label}
    entry["counts"] = target.counts
    for part, name in split.NAMES.items():
        found = np.bincount(target.codes[parts == part].astype(np.int64), minlength=len(target.target.classes))
        entry[f"{name}_counts"] = dict(zip(target.target.classes, found.tolist(), strict=True))
    return entry


def _folder(output: Path, name: str) -> Path:
    folder = output / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Split one CSV file and fit the transformation to features.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the one CSV file")
    parser.add_argument("--config", type=Path, required=True, help="preprocess.json")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    return errors.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    summary = preprocess(options.data, Configuration.load(options.config), options.output)
    print(" ".join(f"{name}={count}" for name, count in summary["rows"].items()), flush=True)
    for column in summary["columns"]:
        if column["role"] == "dropped":
            print(f"dropped column={column['name']!r} reason={column['reason']!r}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
