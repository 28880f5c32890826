"""Requests and responses as bytes: text/csv, application/json, application/jsonlines.

It refuses what it cannot read with PayloadError, whose message is one sentence for the caller. It never looks into a
model: `columns` takes the transformation only to learn which names exist.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.serving.transformation import Target, Transformation, nearest
from sagemaker_project_runtime.serving.values import Value, shown

CSV, JSON, JSONLINES = "text/csv", "application/json", "application/jsonlines"
CONTENT_TYPES = (CSV, JSON, JSONLINES)
_ALIASES = {"application/x-jsonlines": JSONLINES, "application/x-ndjson": JSONLINES, "application/ndjson": JSONLINES}

Row = list[Value] | dict[str, Value]


class PayloadError(Exception):
    """The caller sent something that cannot be answered; `status` is the HTTP status that says so."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Request(NamedTuple):
    """What was sent, not yet matched to columns. `header`: whether the first row names columns (None: look and see)."""

    content_type: str
    rows: Sequence[Row]
    header: bool | None = None


class Prediction(NamedTuple):
    """Scores (rows,) of a regression or of the positive class, or probabilities (rows, classes)."""

    content_type: str
    scores: NDArray[Any]
    target: Target


# --- reading ---------------------------------------------------------------------------------------------------------


def parse(body: bytes | str, content_type: str) -> Request:
    """The request's rows. Raises PayloadError: 415 for an unknown content type, 400 for an unreadable body."""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower()
    kind = _ALIASES.get(kind, kind)
    if kind not in _PARSERS:
        raise PayloadError(
            f"content type {shown(content_type)} is not supported: send {', '.join(CONTENT_TYPES)}.", 415
        )
    text = _text(body)
    if not text.strip():
        raise PayloadError("the body is empty: send at least one row.")
    rows = _PARSERS[kind](text)
    if not rows:
        raise PayloadError("the body holds no rows: send at least one.")
    return Request(kind, rows, _header(parameters))


def _text(body: bytes | str) -> str:
    try:
        text = body.decode("utf-8") if isinstance(body, (bytes, bytearray)) else body
    except UnicodeDecodeError as error:
        raise PayloadError(f"the body is not UTF-8: byte {error.start + 1} cannot be read.") from error
    return text.removeprefix("\ufeff")


def _header(parameters: str) -> bool | None:
    """RFC 4180 names the parameter: text/csv; header=present|absent."""
    for parameter in parameters.split(";") if parameters else ():
        name, _, value = parameter.strip().lower().partition("=")
        if name == "header":
            return value == "present"
    return None


def _parse_csv(text: str) -> list[Row]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows: list[Row] = [list(row) for row in reader if row]
    except csv.Error as error:
        raise PayloadError(f"the CSV cannot be read at line {reader.line_num}: {error}.") from error
    width = len(rows[0]) if rows else 0
    for position, row in enumerate(rows, 1):
        if len(row) != width:
            raise PayloadError(
                f"row {position} has {_many(len(row), 'value')}, row 1 has {width}: the rows must be equally long."
            )
    return rows


def _parse_json(text: str) -> list[Row]:
    document = _load(text, "the body")
    if isinstance(document, dict):
        if isinstance(document.get("instances"), list):
            document = document["instances"]
        else:
            return [_row(document, 1)]
    if not isinstance(document, list):
        raise PayloadError('the JSON is neither an object nor a list: send {"instances": [{"column": value}]}.')
    if document and not isinstance(document[0], (dict, list)):
        return [document]
    return [_row(entry, position) for position, entry in enumerate(document, 1)]


def _parse_jsonlines(text: str) -> list[Row]:
    lines = (line for line in text.split("\n") if line.strip())
    return [_row(_load(line, f"row {position}"), position) for position, line in enumerate(lines, 1)]


_PARSERS: dict[str, Callable[[str], list[Row]]] = {CSV: _parse_csv, JSON: _parse_json, JSONLINES: _parse_jsonlines}


def _row(entry: Any, position: int) -> Row:
    if isinstance(entry, dict):
        features = entry.get("features") if len(entry) == 1 else None
        return features if isinstance(features, list) else entry
    if isinstance(entry, list):
        return entry
    raise PayloadError(f"row {position} is {shown(entry)}: send an object with column names, or a list of values.")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON, write null")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _load(text: str, where: str) -> Any:
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise PayloadError(f"{where} is nested too deeply: a row is a flat object or list.") from error
    except ValueError as error:
        raise PayloadError(f"{where} is not JSON that can be read: {str(error)[:120]}.") from error


# --- matching rows to columns ----------------------------------------------------------------------------------------


def columns(request: Request, transformation: Transformation) -> dict[str, Sequence[Value]]:
    """Each column the model takes → its values. Raises PayloadError naming every column that is missing or unknown."""
    rows = request.rows
    if request.content_type == CSV:
        return _csv_columns(request, transformation)
    if isinstance(rows[0], dict):
        return _named_columns(rows, transformation)
    return _ordered_columns(rows, transformation)


def _csv_columns(request: Request, transformation: Transformation) -> dict[str, Sequence[Value]]:
    first = [str(cell).strip() for cell in request.rows[0]]
    if not (_looks_like_header(first, transformation) if request.header is None else request.header):
        return _ordered_columns(request.rows, transformation)
    if len(request.rows) == 1:
        raise PayloadError("the CSV holds a header and no rows: send at least one.")
    _check_header(first, transformation)
    return dict(zip(first, zip(*request.rows[1:], strict=True), strict=True))


def _looks_like_header(first: list[str], transformation: Transformation) -> bool:
    """At least half of the cells are names of columns. Where names and values look alike, say `header=` in the type."""
    known = sum(1 for cell in first if cell in transformation.known)
    return known > 0 and 2 * known >= len(first)


def _check_header(header: list[str], transformation: Transformation) -> None:
    names = set(header)
    if len(names) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise PayloadError(f"the header names column {shown(twice)} more than once.")
    _check_names(names, transformation, "the header")


def _check_names(names: set[str], transformation: Transformation, where: str) -> None:
    unknown = sorted(names - transformation.known)
    missing = [name for name in transformation.names if name not in names]
    if not (unknown or missing):
        return
    problems = [f"has no column {_list(missing)}"] if missing else []
    if unknown:
        hint = nearest(unknown[0], missing or transformation.names)
        problems.append(f"has column {_list(unknown)}, which the model does not know{hint}")
    raise PayloadError(f"{where} {' and '.join(problems)}.")


def _named_columns(rows: Sequence[Row], transformation: Transformation) -> dict[str, Sequence[Value]]:
    known = transformation.known
    for position, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise PayloadError(f"row {position} is a list and row 1 is an object: send all rows alike.")
        if not row.keys() <= known:
            _check_names(set(row), transformation, f"row {position}")
    try:
        return {name: [row[name] for row in rows] for name in transformation.names}  # type: ignore[call-overload]
    except KeyError:
        for position, row in enumerate(rows, 1):
            _check_names(set(row), transformation, f"row {position}")  # type: ignore[arg-type]
        raise


def _ordered_columns(rows: Sequence[Row], transformation: Transformation) -> dict[str, Sequence[Value]]:
    names = transformation.names
    for position, row in enumerate(rows, 1):
        if isinstance(row, dict):
            raise PayloadError(f"row {position} is an object and row 1 is a list: send all rows alike.")
        if len(row) != len(names):
            raise PayloadError(
                f"row {position} has {_many(len(row), 'value')}, the model takes {len(names)} in this order: "
                f"{_list(names)}."
            )
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _list(names: Sequence[str], most: int = 30) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + more


# --- writing ---------------------------------------------------------------------------------------------------------


def accepted(accept: str | None, otherwise: str) -> str:
    """The content type to answer in: the best of the Accept header, else `otherwise`. Raises PayloadError (406)."""
    if not accept or accept == "*/*":
        return otherwise
    wanted = sorted((_weighted(entry) for entry in accept.split(",")), key=lambda pair: -pair[1])
    for kind, weight in wanted:
        kind = _ALIASES.get(kind, kind)
        if weight > 0 and kind in CONTENT_TYPES:
            return kind
        if weight > 0 and (kind in ("*/*", "", "*") or otherwise.split("/")[0] + "/*" == kind):
            return otherwise
        if weight > 0 and kind in ("text/*", "application/*"):
            return CSV if kind == "text/*" else JSON
    raise PayloadError(f"{shown(accept)} cannot be produced: accept {', '.join(CONTENT_TYPES)}.", 406)


def _weighted(entry: str) -> tuple[str, float]:
    kind, _, parameters = entry.strip().lower().partition(";")
    name, _, value = parameters.strip().partition("=")
    try:
        return kind.strip(), float(value) if name == "q" else 1.0
    except ValueError:
        return kind.strip(), 0.0


def render(prediction: Prediction, content_type: str) -> str:
    """The prediction as text: CSV `value` or `label,probability`, JSON {"predictions": [{…}]}, or one object a line."""
    if content_type == CSV:
        return "".join(_csv_lines(prediction))
    if content_type == JSONLINES:
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records(prediction))
    return json.dumps({"predictions": list(records(prediction))}, ensure_ascii=False)


def records(prediction: Prediction) -> Iterator[dict[str, Any]]:
    """One object a row: prediction; for classes also probability, and with more than two classes all probabilities."""
    target, scores = prediction.target, prediction.scores
    if not target.classes:
        return ({"prediction": value} for value in _rounded(scores))
    pairs = zip(_labels(prediction), _probabilities(prediction), strict=True)
    if target.problem_type == "binary":
        return ({"prediction": label, "probability": probability} for label, probability in pairs)
    maps = (dict(zip(target.classes, _rounded(row), strict=True)) for row in scores)
    return (
        {"prediction": label, "probability": probability, "probabilities": each}
        for (label, probability), each in zip(pairs, maps, strict=True)
    )


def _csv_lines(prediction: Prediction) -> Iterator[str]:
    if not prediction.target.classes:
        return (f"{value!r}\n" for value in _rounded(prediction.scores))
    quoted = {label: _quoted(label) for label in prediction.target.classes}
    pairs = zip(_labels(prediction), _probabilities(prediction), strict=True)
    return (f"{quoted[label]},{probability!r}\n" for label, probability in pairs)


def _quoted(label: str) -> str:
    return '"' + label.replace('"', '""') + '"' if any(mark in label for mark in ',"\r\n') else label


def label_positions(prediction: Prediction) -> NDArray[np.intp]:
    """The predicted class of each row as its position in target.classes; a binary probability of 0.5 is positive."""
    if prediction.target.problem_type == "binary":
        return (prediction.scores >= 0.5).astype(np.intp)
    positions: NDArray[np.intp] = prediction.scores.argmax(axis=1)
    return positions


def _labels(prediction: Prediction) -> list[str]:
    classes = prediction.target.classes
    return [classes[position] for position in label_positions(prediction).tolist()]


def _probabilities(prediction: Prediction) -> list[float]:
    scores = prediction.scores
    return _rounded(scores if prediction.target.problem_type == "binary" else scores.max(axis=1))


def _rounded(values: NDArray[Any]) -> list[float]:
    """float32 holds 7 to 8 digits: what comes after them is noise."""
    return [float(f"{value:.8g}") for value in values.tolist()]
