"""Endpoints on AWS's toolkits: gunicorn with gevent and two workers answers as `make serve` does."""

import csv
import io
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kit.tests.toolkits.container.inside import ask
from kit.tests.toolkits.containers import Answer, Request, answers, image
from kit.tests.toolkits.played import Played
from sagemaker_project_kit.local.jobs import batch
from sagemaker_project_kit.local.jobs.package import unpack
from sagemaker_project_kit.local.jobs.sandbox import Sandbox

pytestmark = pytest.mark.toolkits

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
# Without an Accept header, or with */*, the toolkit puts in its default: JSON, if the model's environment names none.
ACCEPTS = (CSV, JSON, LINES, "application/x-npy", "text/csv;q=0.5, application/json")
ANYTHING = {"Accept": "*/*"}
DEFAULT = "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"
TRANSFORM = {"content_type": CSV, "accept": CSV, "by_line": True, "join_lines": True, "max_bytes": 6 * 1024 * 1024}


def bodies(played: Played) -> dict[str, list[str]]:
    """What is sent as each content type: rows of the contract, and what cannot be answered."""
    lines = played.contract("sample.jsonl").splitlines()
    rows = [json.loads(line) for line in lines]
    first = rows[0]
    number = next(name for name, value in first.items() if isinstance(value, (int, float)))
    wrong = ["", "{", "[]", "null", "nan", json.dumps({"unknown": 1}), json.dumps(first | {number: "many"})]
    return {
        CSV: [
            table(rows),
            table(rows[:1]),
            table(rows[:1], header=False),
            table([first | {number: "many"}]),
            "",
            "a,b\n1",
        ],
        JSON: [json.dumps(first), json.dumps(rows), json.dumps({"instances": rows}), *wrong],
        LINES: ["\n".join(lines), lines[0], *wrong],
        "application/x-recordio-protobuf": [lines[0]],
        "text/libsvm": ["1 1:2"],
    }


def table(rows: Sequence[dict[str, object]], header: bool = True) -> str:
    """CSV as the wire has it: UTF-8, a character a byte."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([list(rows[0])] * header + [list(row.values()) for row in rows])
    return text.getvalue().encode().decode("latin-1")


def requests(played: Played) -> Iterator[Request]:
    """Every body in every form, and what no client should send."""
    for kind, texts in bodies(played).items():
        for text, accept in itertools.product(texts, ACCEPTS):
            yield Request(text, {"Content-Type": kind, "Accept": accept})
    yield from (
        Request(method="GET", path="/ping"),
        Request(path="/models"),
        Request(method="GET"),
        Request(method="PUT"),
    )


def test_answers(team: Played, tmp_path: Path) -> None:
    asked = list(requests(team))
    theirs, ours = served(team, Sandbox(tmp_path), asked), served_here(team, asked)
    assert {200, 400, 404, 405, 406, 415} <= {status for status, _, _ in theirs}
    assert [answer[0] for answer in theirs] == [answer[0] for answer in ours]
    for request, their, our in zip(asked, theirs, ours, strict=True):
        if their[0] not in (404, 405) and request.path == "/invocations":  # there the toolkit's words are Flask's
            assert comparable(team, their) == expected(team, our), request


def test_without_accept(churn: Played, tmp_path: Path) -> None:
    """The toolkit puts in JSON, but not with the environment that is registered; then it answers as `make serve`."""
    lines = churn.contract("sample.jsonl").splitlines()
    sent = {CSV: table([json.loads(lines[0])]), LINES: lines[0]}
    asked = [Request(body, {"Content-Type": kind, **more}) for kind, body in sent.items() for more in ({}, ANYTHING)]
    registered = churn.container["Environment"]
    assert registered[DEFAULT] == "*/*"
    unset = {name: value for name, value in registered.items() if name != DEFAULT}
    by_default = served(churn, Sandbox(tmp_path / "default"), asked, unset)
    assert {kind.partition(";")[0] for _, kind, _ in by_default} == {JSON}
    as_asked, ours = served(churn, Sandbox(tmp_path / "any"), asked), served_here(churn, asked)
    assert [comparable(churn, answer) for answer in as_asked] == [expected(churn, answer) for answer in ours]


def test_batch(team: Played, tmp_path: Path) -> None:
    """A batch transform with SplitType Line, of many records a request and of one, as `local/` plays it."""
    rows = [json.loads(line) for line in team.contract("sample.jsonl").splitlines()]
    source = table(rows, header=False).encode("latin-1")
    ours, cut = {}, {}
    for single in (False, True):
        settings = {**TRANSFORM, "single_record": single}
        ours[single] = transformed(team, tmp_path / f"single-{single}", source, settings)
        cut[single] = [body.decode("latin-1") for body in batch.requests(source, settings)]
    asked = [Request(body, {"Content-Type": CSV, "Accept": CSV}) for body in itertools.chain(*cut.values())]
    theirs = iter(served(team, Sandbox(tmp_path / "toolkit"), asked))
    for single, parts in cut.items():
        answered = list(itertools.islice(theirs, len(parts)))
        assert {status for status, _, _ in answered} == {200}
        joined = "".join(text if text.endswith("\n") else f"{text}\n" for _, _, text in answered)
        assert numbers(joined) == pytest.approx(numbers(ours[single]), rel=1e-9)
        assert team.versioned or joined == ours[single]


def served(
    played: Played, box: Sandbox, asked: Sequence[Request], environment: Mapping[str, str] | None = None
) -> list[Answer]:
    """What an endpoint of the toolkit answers, its model read-only; `environment`: other than the package's."""
    unpack(played.model, box.ml / "model")
    variables = environment or played.container["Environment"]
    ended = image(played.container["Image"]).run(box, ["serve"], variables, asked, [box.ml / "model"])
    assert ended.code == 0, ended.log[-5000:]
    assert ended.log.count("Booting worker with pid") == 2
    return answers(box)


def served_here(played: Played, asked: Sequence[Request]) -> list[Answer]:
    """What `make serve` answers."""
    with played.project.served() as url:
        port = urlsplit(url).port or 0
        return [ask(port, each.method, each.path, dict(each.headers or {}), each.body) for each in asked]


def transformed(played: Played, root: Path, source: bytes, settings: dict[str, object]) -> str:
    """What local/'s program of a Transform step makes of one file."""
    unpack(played.model, root / "model")
    (root / "in").mkdir()
    (root / "in" / "rows.csv").write_bytes(source)
    places = {name: str(root / folder) for name, folder in (("model", "model"), ("input", "in"), ("output", "out"))}
    (root / "settings.json").write_text(json.dumps({**settings, **places, "program": "inference.py"}), encoding="utf-8")
    command = [sys.executable, "-P", str(batch.__file__), str(root / "settings.json")]
    subprocess.run(command, cwd=root, check=True)
    return (root / "out" / "rows.csv.out").read_text(encoding="utf-8")


def comparable(played: Played, answer: Answer) -> tuple[int, str, str | list[float]]:
    """Status, content type and body; of a model that names the version of its library the body's numbers."""
    status, kind, body = answer
    of_numbers = played.versioned and status == 200
    return status, kind.partition(";")[0], numbers(body) if of_numbers else body


def expected(played: Played, answer: Answer) -> object:
    """`comparable`, where a library of another version may differ in a number's last digits."""
    status, kind, body = comparable(played, answer)
    return status, kind, pytest.approx(body, rel=1e-9) if isinstance(body, list) else body


def numbers(text: str) -> list[float]:
    """All that stand in a text."""
    words = "".join(letter if letter in "+-.0123456789e" else " " for letter in text).split()
    return [float(word) for word in words if word.strip("+-.e")]
