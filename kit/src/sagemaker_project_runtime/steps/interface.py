"""The contract of a model version: what it takes and answers, real rows with its answers, and a sample payload.

The deploy half tests an endpoint against these files. Everything comes out of the serving handler and the raw test
rows; it refuses to describe what it has not seen the model do.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sagemaker_project_runtime.serving.inference import Model, Refusal, input_fn, output_fn, predict_fn
from sagemaker_project_runtime.serving.payload import CONTENT_TYPES, JSONLINES
from sagemaker_project_runtime.serving.transformation import Categorical, Column, Date, Raw, Target, Transformation
from sagemaker_project_runtime.serving.values import Value, category, number
from sagemaker_project_runtime.steps.errors import EvaluationError

SAMPLE_ROWS = 20
DEFAULT_ACCEPT = "*/*"  # who asks for no format is answered in the one of the request: the registration sees to it
Record = dict[str, Value]


def schema(transformation: Transformation) -> dict[str, Any]:
    """Input columns in order, output fields, content types; the format is this project's own."""
    return {
        "version": 1,
        "content_types": list(CONTENT_TYPES),
        "default_accept": DEFAULT_ACCEPT,
        "problem_type": transformation.target.problem_type,
        "input": [_input(column) for column in transformation.inputs],
        "ignored": sorted(transformation.known - set(transformation.names)),
        "output": _output(transformation.target),
    }


def _input(column: Column) -> dict[str, Any]:
    """Every column must be there; every cell may be null. `missing_in_training`: whether the model learnt from that."""
    entry: dict[str, Any] = {"name": column.name, "kind": column.kind, "required": True, "nullable": True}
    entry["missing_in_training"] = column.missing
    if isinstance(column, Categorical):
        return entry | {"categories": list(column.categories), "other": column.other}
    if isinstance(column, Date):
        entry["formats"] = list(column.formats)
    if isinstance(column, Raw):
        return entry
    return entry | {"min": column.minimum, "max": column.maximum}


def _output(target: Target) -> list[dict[str, Any]]:
    if not target.classes:
        return [{"name": "prediction", "type": "number"}]
    prediction = {"name": "prediction", "type": "string", "classes": list(target.classes)}
    probability: dict[str, Any] = {"name": "probability", "type": "number", "min": 0, "max": 1}
    if target.problem_type == "binary":
        return [prediction, {**probability, "of": target.positive_label}]
    everything = {"name": "probabilities", "type": "object", "classes": list(target.classes)}
    return [prediction, {**probability, "of": "prediction"}, everything]


def record(row: dict[str, str], transformation: Transformation) -> Record:
    """A raw row as a caller would send it: only the model's columns, numbers as numbers, missing as null."""
    return {column.name: _cell(column, row[column.name]) for column in transformation.inputs}


def _cell(column: Column, cell: str) -> Value:
    text = category(cell)
    if text is None or column.kind != "numeric":
        return text
    try:
        value = number(text)
    except ValueError:
        return text  # a lenient column: the handler takes it for missing
    return None if value != value else (int(value) if value.is_integer() and abs(value) < 2**53 else value)


def sample(rows: Iterable[Record], most: int = SAMPLE_ROWS) -> list[Record]:
    """A few of the rows: those that first show a category or a missing value, then the first ones."""
    seen: set[tuple[str, Value]] = set()
    telling: list[tuple[int, Record]] = []
    plain: list[tuple[int, Record]] = []
    for position, row in enumerate(rows):
        marks = {(name, value) for name, value in row.items() if value is None or isinstance(value, str)}
        if len(telling) < most and not marks <= seen:
            seen |= marks
            telling.append((position, row))
        elif len(plain) < most:
            plain.append((position, row))
    chosen = (telling + plain)[:most]
    return [row for _, row in sorted(chosen, key=lambda pair: pair[0])]


def expected(model: Model, rows: Sequence[Record]) -> str:
    """The handler's answer to the sample, in JSON Lines."""
    answer = output_fn(predict_fn(input_fn(_lines(rows), JSONLINES), model), JSONLINES)
    if isinstance(answer, Refusal):
        raise EvaluationError(f"The serving handler refuses rows of the test set: {answer.error}")
    return answer[0]


def _lines(rows: Sequence[Record]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows)


def payload_archive(content: bytes, name: str = "sample.csv") -> bytes:
    """A .tar.gz with one file, the same bytes for the same content: what SamplePayloadUrl points to."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def write(model: Model, rows: Sequence[Record], raw_csv: bytes, directory: Path) -> None:
    """schema.json, sample.jsonl, expected.jsonl, sample_payload.tar.gz."""
    directory.mkdir(parents=True, exist_ok=True)
    document = json.dumps(schema(model.transformation), indent=1, ensure_ascii=False, allow_nan=False)
    (directory / "schema.json").write_text(document + "\n", encoding="utf-8")
    (directory / "sample.jsonl").write_text(_lines(rows), encoding="utf-8")
    (directory / "expected.jsonl").write_text(expected(model, rows), encoding="utf-8")
    (directory / "sample_payload.tar.gz").write_bytes(payload_archive(raw_csv))
