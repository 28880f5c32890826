"""Runs the steps on a table as the pipeline does: folders, arguments, exit codes."""

import csv
import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from kit.tests.places import PROJECT
from sagemaker_project_runtime.serving.inference import Model, model_fn
from sagemaker_project_runtime.steps import evaluate, preprocess, train

CHURN = PROJECT / "data" / "churn.csv"

Table = Sequence[Any]  # rows of cells


@dataclass(frozen=True)
class Flow:
    """One run of the steps below `root`."""

    root: Path
    config: Mapping[str, Any]

    def preprocess(self, table: Table | bytes, name: str = "data.csv") -> int:
        content = table if isinstance(table, bytes) else as_csv(table)
        (self.root / "data").mkdir(parents=True, exist_ok=True)
        (self.root / "data" / name).write_bytes(content)
        return self.rerun_preprocess(self.root / "out")

    def rerun_preprocess(self, output: Path) -> int:
        config = self.root / "preprocess.json"
        config.write_text(json.dumps(self.config), encoding="utf-8")
        return preprocess.main(["--data", f"{self.root}/data", "--config", str(config), "--output", str(output)])

    def train(self, *hyperparameters: str) -> int:
        out = self.root / "out"
        channels = [f"--{name}={out / name}" for name in ("train", "validation", "transformation")]
        places = [f"--model_dir={self.model_dir}", f"--output_data_dir={self.root / 'output_data'}"]
        code = train.main([*channels, *places, *(hyperparameters or ("--num_round", "40"))])
        if code == 0:
            self.pack()
        return code

    def pack(self) -> None:
        (self.root / "archive").mkdir(exist_ok=True)
        with tarfile.open(self.root / "archive" / "model.tar.gz", "w:gz") as archive:
            archive.add(self.model_dir, arcname=".")

    def evaluate(self, metric: str, threshold: float, champion: Path | None = None, tolerance: float = 0.0) -> int:
        folders = {"model": self.root / "archive", "test": self.root / "out" / "test", "output": self.root / "judged"}
        folders |= {"champion": champion or self.root / "none"}
        words = [word for name, folder in folders.items() for word in (f"--{name}", str(folder))]
        limits = ["--threshold", str(threshold), "--champion-tolerance", str(tolerance)]
        return evaluate.main([*words, "--metric", metric, *limits])

    @property
    def model_dir(self) -> Path:
        return self.root / "model"

    def model(self) -> Model:
        return model_fn(str(self.model_dir))

    def json(self, path: str) -> Any:
        return json.loads((self.root / path).read_text(encoding="utf-8"))

    def rows(self, part: str) -> list[dict[str, str]]:
        text = (self.root / "out" / part / f"{part}.csv").read_text(encoding="utf-8")
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def summary_of(self, column: str) -> dict[str, Any]:
        columns: list[dict[str, Any]] = self.json("out/summary/summary.json")["columns"]
        return next(entry for entry in columns if entry["name"] == column)


def as_csv(table: Table, separator: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(table)
    return text.getvalue().encode("utf-8")


def mixed_table(rows: int = 400) -> list[list[Any]]:
    """What strangers' files hold: an id, dates, gaps, rare categories, a constant, noise in a number, odd headers."""
    random = np.random.default_rng(3)
    table: list[list[Any]] = [
        ["Kunden_ID", "größe", "Stadt, Land", "since", "empty", "constant", "noisy", "visits", "churn"]
    ]
    for position in range(rows):
        size, city = round(float(random.normal(170, 10)), 1), ["Köln", "Zürich", "東京", 'A "b", c'][position % 4]
        visits = int(random.integers(0, 9))
        answer = "yes" if visits + (city == "Köln") * 3 + random.normal() > 6 else "no"
        since = f"20{random.integers(10, 25)}-{random.integers(1, 13):02}-{random.integers(1, 29):02}"
        noisy = "unknown" if position % 50 == 49 else str(random.integers(0, 30))
        table.append([f"K-{position:05}", size, city, since, "", "x", noisy, visits, answer])
        for column in (1, 2, 3):
            if random.random() < 0.1:
                table[-1][column] = ["", "NA", " "][column - 1]
    return table


def config(target: str, problem_type: str, **changes: Any) -> dict[str, Any]:
    split = {"train": 0.7, "validation": 0.15, "test": 0.15, "seed": 7, "stratify": True}
    document: dict[str, Any] = {
        "target": target,
        "problem_type": problem_type,
        "positive_label": None,
        "drop": [],
        "categorical": [],
    }
    return document | {"numeric": [], "time_column": None, "split": split} | changes


def completed(root: Path, table: Table | bytes, settings: Mapping[str, Any], *hyperparameters: str) -> Flow:
    """Preprocessed and trained."""
    flow = Flow(root, settings)
    assert flow.preprocess(table) == 0
    assert flow.train(*hyperparameters) == 0
    return flow


def bundled(name: str) -> list[list[Any]]:
    """A real data set that scikit-learn ships, the target as the last column; its files only, not its import."""
    return _diabetes() if name == "diabetes" else _classes(f"{name}.csv")


def _classes(file: str) -> list[list[Any]]:
    """A file that begins with how many rows and columns follow, and the names of the classes."""
    (_, columns, *classes), *rows = csv.reader((_shipped() / file).read_text(encoding="utf-8").splitlines())
    header = [f"measure {number}" for number in range(int(columns))]
    return [[*header, "target"], *([*row[:-1], classes[int(row[-1])]] for row in rows)]


def _diabetes() -> list[list[Any]]:
    """Rows in one file, the target in another."""
    files = ("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz")
    rows, targets = (gzip.decompress((_shipped() / file).read_bytes()).decode().splitlines() for file in files)
    header = ["age", "sex", "bmi", "bp", *(f"s{number}" for number in range(1, 7)), "target"]
    return [header, *([*row.split(), float(target)] for row, target in zip(rows, targets, strict=True))]


def _shipped() -> Path:
    """Where the data sets are: found without importing what is there."""
    package = find_spec("sklearn")
    assert package and package.origin
    return Path(package.origin).parent / "datasets" / "data"
