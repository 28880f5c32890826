"""The first ten minutes of a team: bake a project, train, approve and serve its model, and check what it answers.

Everything is real and lies in build/laptop/: Cookiecutter, the project's own make, the pipeline, the server. It stops
at the first thing that is not as it should be, and leaves no process behind.
"""

import contextlib
import csv
import io
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.panel import Panel

from scripts.bake import ROOT, bake_afresh
from scripts.project import Answer, Project, ProjectError, call

FOLDER = ROOT / "build" / "laptop"
console = Console(highlight=False)

Record = dict[str, Any]


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """A headline, then whatever the block prints, then how long it took."""
    console.print(f"\n[bold]▶ {title}[/bold]")
    started = time.monotonic()
    yield
    console.print(f"[green]✓[/green] {title} [dim]{time.monotonic() - started:.1f} s[/dim]")


def newest_package(project: Project) -> Record:
    """The model package that was registered last, from the project's registry."""
    packages = (project.path / ".local" / "registry").glob("*/[0-9]*.json")
    files = sorted(packages, key=lambda path: (path.stat().st_mtime_ns, int(path.stem)))
    if not files:
        raise ProjectError(f"`make run` registered no model in {project.path}.")
    return json.loads(files[-1].read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def contract(project: Project) -> tuple[list[Record], list[Record]]:
    """The sample rows that were registered with the model, and the answers it gave to them when it was evaluated."""
    uri = newest_package(project)["CustomerMetadataProperties"]["contract_uri"]
    folder = project.path / ".local" / "s3" / uri.removeprefix("s3://")
    return read_lines((folder / "sample.jsonl").read_text("utf-8")), read_lines(
        (folder / "expected.jsonl").read_text("utf-8")
    )


def read_lines(text: str) -> list[Record]:
    """JSON Lines as records."""
    return [json.loads(line) for line in text.splitlines() if line]


def csv_text(rows: list[Record]) -> str:
    """Rows as CSV with a header; a missing value is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def json_text(rows: list[Record]) -> str:
    """Rows as the instances of one JSON document."""
    return json.dumps({"instances": rows})


def lines_text(rows: list[Record]) -> str:
    """Rows as JSON Lines."""
    return "".join(json.dumps(row) + "\n" for row in rows)


def read_csv(text: str) -> list[Record]:
    """Answers that came as CSV: label and probability."""
    return [{"prediction": label, "probability": float(value)} for label, value in csv.reader(io.StringIO(text))]


def read_json(text: str) -> list[Record]:
    """Answers that came as one JSON document."""
    return json.loads(text)["predictions"]  # type: ignore[no-any-return]


FORMATS: dict[str, tuple[Callable[[list[Record]], str], Callable[[str], list[Record]]]] = {
    "text/csv": (csv_text, read_csv),
    "application/json": (json_text, read_json),
    "application/jsonlines": (lines_text, read_lines),
}


def check_answers(address: str, rows: list[Record], expected: list[Record]) -> None:
    """The server must answer the sample rows, in each format, as the model did when it was evaluated."""
    for content_type, (write, read) in FORMATS.items():
        answer = call(f"{address}/invocations", write(rows), content_type)
        if answer.status != 200:
            raise ProjectError(f"{content_type}: status {answer.status}, {answer.text}")
        check_predictions(content_type, read(answer.text), expected)
        console.print(f"  {content_type}: {len(rows)} rows, every answer as evaluated")


def check_predictions(content_type: str, found: list[Record], expected: list[Record]) -> None:
    """Labels must be equal, probabilities to the sixth digit."""
    differing = [number for number, pair in enumerate(zip(found, expected, strict=True), 1) if not same(*pair)]
    if differing:
        raise ProjectError(f"{content_type}: the answers to rows {differing} differ from expected.jsonl.")


def same(found: Record, expected: Record) -> bool:
    """Whether two answers agree."""
    distance: float = abs(found["probability"] - expected["probability"])
    return distance < 1e-6 and bool(found["prediction"] == expected["prediction"])


def check_refusal(address: str, row: Record) -> Answer:
    """A row without one of its columns must be refused with a 4xx that names the column."""
    column = next(iter(row))
    answer = call(f"{address}/invocations", json_text([{key: row[key] for key in row if key != column}]))
    if not (400 <= answer.status < 500 and column in answer.text):
        raise ProjectError(f"A row without {column!r} got status {answer.status}: {answer.text}")
    return answer


def first_minutes() -> Project:
    """Play it through, and return the project."""
    with step("Bake a project with Cookiecutter"):
        project = Project(bake_afresh(FOLDER))
        console.print(f"  {project.path}")
    with step("make run: prepare, train, evaluate, register"):
        project.make("run")
    with step("make approve"):
        project.make("approve")
    with step("make serve, asked over HTTP"), project.serving(FOLDER / "serve.log") as address:
        console.print(f"  {address}")
        rows, expected = contract(project)
        check_answers(address, rows, expected)
        answer = check_refusal(address, rows[0])
        console.print(f"  a row with a column missing: {answer.status} {answer.text.strip()}")
    return project


def next_words(project: Project) -> str:
    """Where everything is and what to type next."""
    folder = project.path.relative_to(Path.cwd()) if project.path.is_relative_to(Path.cwd()) else project.path
    return f"""The project       {folder}
The run           {folder}/runs/latest/
The registry      {folder}/.local/registry/

Type next:
  cd {folder}
  make serve
  make run DATA=your.csv TARGET=column PROBLEM=binary
  make help
For a project of your own:
  cookiecutter {ROOT}"""


def _terminate(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _terminate)
    beginning = time.monotonic()
    try:
        done = first_minutes()
    except ProjectError as failure:
        sys.exit(f"make laptop: {failure}")
    except KeyboardInterrupt:
        sys.exit("make laptop: interrupted; nothing is left running.")
    console.print(Panel(next_words(done), title=f"All of it in {time.monotonic() - beginning:.0f} s", expand=False))
