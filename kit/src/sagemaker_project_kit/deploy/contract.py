"""The contract of a model version, as its training pipeline wrote it: schema.json, sample.jsonl, expected.jsonl.

It turns the sample into requests of each content type, reads answers back into rows, and says in a sentence where an
answer departs from the schema or from the expected values.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker_project_kit.deploy.errors import VerifyError
from sagemaker_project_kit.deploy.store import Store

CSV, JSON, JSONLINES = "text/csv", "application/json", "application/jsonlines"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Contract:
    """What a model takes and answers, and real rows with its answers to them."""

    schema: Mapping[str, Any]
    sample: Sequence[Row]
    expected: Sequence[Row]

    @property
    def columns(self) -> list[str]:
        """The input columns in order."""
        return [column["name"] for column in self.schema["input"]]

    @property
    def required(self) -> list[str]:
        return [column["name"] for column in self.schema["input"] if column.get("required")]

    @property
    def outputs(self) -> list[Mapping[str, Any]]:
        """The output fields: name, type, and min, max or classes."""
        return list(self.schema["output"])

    @property
    def answers_as_sent(self) -> bool:
        """Whether who sends no Accept is promised the format of the request (models registered earlier: JSON)."""
        return bool(self.schema.get("default_accept") == "*/*")

    @property
    def content_types(self) -> list[str]:
        """Those of the model that are known here."""
        return [kind for kind in self.schema["content_types"] if kind in _WRITERS]


def _parsed(store: Store, uri: str, name: str, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(store.read(f"{uri}/{name}"))
    except ValueError as error:
        way_out = "approve another version, or train this one again"
        raise VerifyError(f"{name} of the contract at {uri} cannot be read ({error}): {way_out}") from None


def load(store: Store, uri: str) -> Contract:
    """Read a contract. Raises StoreError if a file is missing, VerifyError if one is malformed."""
    try:
        contract = Contract(
            _parsed(store, uri, "schema.json", json.loads),
            _parsed(store, uri, "sample.jsonl", read_lines),
            _parsed(store, uri, "expected.jsonl", read_lines),
        )
        problem = _own_problem(contract)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise VerifyError(f"the contract at {uri} cannot be read: {error!r}") from None
    if problem:
        raise VerifyError(f"the contract at {uri} contradicts itself: {problem}")
    return contract


def _own_problem(contract: Contract) -> str:
    if contract.schema["version"] != 1:
        return f"schema.json has version {contract.schema['version']!r}, known is 1"
    if not contract.sample or len(contract.sample) != len(contract.expected):
        return f"sample.jsonl has {len(contract.sample)} rows and expected.jsonl {len(contract.expected)}"
    for position, row in enumerate(contract.sample, 1):
        if missing := [name for name in contract.required if name not in row]:
            return f"row {position} of sample.jsonl has no {missing[0]!r}"
    return next(iter(answer_problems(contract, contract.expected)), "")


# --- requests --------------------------------------------------------------------------------------------------------


def write(contract: Contract, rows: Sequence[Row], content_type: str) -> bytes:
    """A request body. CSV comes with a header, in the order of the schema."""
    return _WRITERS[content_type](contract, rows).encode("utf-8")


def _write_csv(contract: Contract, rows: Sequence[Row]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    columns = [name for name in contract.columns if all(name in row for row in rows)]
    writer.writerow(columns)
    writer.writerows([["" if row[name] is None else row[name] for name in columns] for row in rows])
    return text.getvalue()


def _write_json(_: Contract, rows: Sequence[Row]) -> str:
    return json.dumps({"instances": list(rows)}, ensure_ascii=False)


def _write_lines(_: Contract, rows: Sequence[Row]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


_WRITERS: dict[str, Callable[[Contract, Sequence[Row]], str]] = {
    CSV: _write_csv,
    JSON: _write_json,
    JSONLINES: _write_lines,
}


# --- answers ---------------------------------------------------------------------------------------------------------


def read(contract: Contract, body: bytes, content_type: str) -> list[Row]:
    """The rows of an answer. CSV tells the first fields only: the value, or label and probability.

    Raises:
        VerifyError: it cannot be read as `content_type`.
    """
    try:
        text = body.decode("utf-8")
        if content_type == CSV:
            return _read_csv(contract, text)
        rows = json.loads(text)["predictions"] if content_type == JSON else read_lines(text)
        return [dict(row) for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        shown = body[:80].decode("utf-8", "replace")
        raise VerifyError(f"the answer is no {content_type} of this contract ({error!r}): {shown!r}") from None


def _read_csv(contract: Contract, text: str) -> list[Row]:
    fields = [field for field in contract.outputs if field["type"] != "object"]
    rows: list[Row] = []
    for cells in csv.reader(io.StringIO(text, newline=""), strict=True):
        if cells:
            values = zip(fields, cells, strict=True)
            rows.append({field["name"]: float(cell) if field["type"] == "number" else cell for field, cell in values})
    return rows


def read_lines(text: str) -> list[Row]:
    """The objects of a JSON Lines text."""
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def answer_problems(contract: Contract, rows: Sequence[Row]) -> Iterator[str]:
    """Where rows depart from the schema's output, a sentence each."""
    known = {field["name"] for field in contract.outputs}
    for position, row in enumerate(rows, 1):
        for name in row:
            if name not in known:
                yield f"row {position} has the field {name!r}, which the schema does not have"
        for field in contract.outputs:
            if field["name"] in row and (problem := _field_problem(field, row[field["name"]])):
                yield f"row {position}, {field['name']}: {problem}"
        if contract.outputs[0]["name"] not in row:
            yield f"row {position} has no {contract.outputs[0]['name']!r}"


def _field_problem(field: Mapping[str, Any], value: Any) -> str:
    kind = field["type"]
    if kind == "number":
        return _number_problem(field, value)
    classes = field.get("classes")
    if kind == "string" and (not isinstance(value, str) or (classes and value not in classes)):
        return f"must be one of {', '.join(classes or ['any text'])}; found {value!r}"
    if kind == "object" and (not isinstance(value, dict) or (classes and set(value) != set(classes))):
        return f"must have a number for each of {', '.join(classes or [])}; found {value!r}"
    return ""


def _number_problem(field: Mapping[str, Any], value: Any) -> str:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:
        return f"must be a number; found {value!r}"
    low, high = field.get("min", float("-inf")), field.get("max", float("inf"))
    return "" if low <= value <= high else f"must be from {low} to {high}; found {value!r}"


def golden_problems(rows: Sequence[Row], expected: Sequence[Row], tolerance: float) -> Iterator[str]:
    """Where rows depart from the expected ones, a sentence each. `tolerance` is relative above 1, absolute below."""
    if len(rows) != len(expected):
        yield f"{len(expected)} rows were sent and {len(rows)} answered"
        return
    for position, (row, wanted) in enumerate(zip(rows, expected, strict=True), 1):
        for name, value in row.items():
            if name not in wanted or not _close(value, wanted[name], tolerance):
                yield f"row {position}, {name}: expected {wanted.get(name)!r}; found {value!r}"


def _close(value: Any, wanted: Any, tolerance: float) -> bool:
    if isinstance(wanted, dict):
        same = isinstance(value, dict) and value.keys() == wanted.keys()
        return same and all(_close(value[key], wanted[key], tolerance) for key in wanted)
    if isinstance(wanted, (int, float)) and isinstance(value, (int, float)):
        return bool(abs(value - wanted) <= tolerance * max(1.0, abs(wanted)))
    return bool(value == wanted)
