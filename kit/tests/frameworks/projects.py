"""A project of a team with another framework or other data: the template, unrendered, with what such a team changes."""

import json
import re
import shutil
import signal
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit.tests.local.pipelines import Finished, Project
from kit.tests.places import PROJECT
from kit.tests.runtime.steps.flow import Table, as_csv
from kit.tests.waiting import PATIENCE

MODELS = Path(__file__).parent
LEFT_BEHIND = ("build", ".local", "runs", ".venv", "__pycache__", ".*_cache")
# What `make lock` writes for them; narwhals is what LightGBM needs and the image may lack.
LIGHTGBM = {
    "lightgbm==4.7.0": "d23e922acd891e77212e4d0fbcee9ba973c96dee479491341d05ba595357ebb7",
    "narwhals==2.29.0": "1c69b3dc30240f6e848c5a673cafc86affa44184ecce721e25b7194663ad10dc",
}


@dataclass(frozen=True)
class Team:
    """What a team has: data, a question, a model and its packages."""

    table: Table
    target: str
    problem_type: str
    metric: str
    threshold: float
    framework: str = ""  # a folder beside this file; empty for the project's own model
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    wheels: Mapping[str, str] = field(default_factory=dict)

    def start(self, root: Path) -> "TeamProject":
        """Its project, in the new folder `root`."""
        shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
        (root / "data" / "table.csv").write_bytes(as_csv(self.table))
        self._configure(root / "project.toml")
        if self.framework:
            shutil.copy(MODELS / self.framework / "model.py", root / "model_build" / "model.py")
        declare_wheels(root, self.wheels)
        return TeamProject(Project(root))

    def _configure(self, path: Path) -> None:
        replaced = {
            "source": '"data/table.csv"',
            "target": f'"{self.target}"',
            "problem_type": f'"{self.problem_type}"',
            "positive_label": '""',
            "metric": f'"{self.metric}"',
            "threshold": f"{self.threshold}",
        }
        text = path.read_text(encoding="utf-8")
        for key, value in replaced.items():
            text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        if self.hyperparameters:
            lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in self.hyperparameters.items())
            tables = r"(?ms)^\[train\.hyperparameters\].*?(?=^\[evaluate\])"  # with those of tuning
            text = re.sub(tables, f"[train.hyperparameters]\n{lines}\n", text)
        path.write_text(text, encoding="utf-8")


def declare_wheels(root: Path, wheels: Mapping[str, str]) -> None:
    """The dependency group job-wheels with these pins, and their hashes in the lock."""
    names = ", ".join(f'"{name}"' for name in wheels)
    pyproject, lock = root / "pyproject.toml", root / "requirements.lock"
    text = pyproject.read_text(encoding="utf-8")
    assert "\njob-wheels = []\n" in text
    pyproject.write_text(text.replace("\njob-wheels = []\n", f"\njob-wheels = [{names}]\n"), encoding="utf-8")
    locked = "".join(f"{name} \\\n    --hash=sha256:{digest}\n" for name, digest in wheels.items())
    lock.write_text(lock.read_text(encoding="utf-8") + locked, encoding="utf-8")


@dataclass(frozen=True)
class TeamProject:
    """A project and what `make` does in it."""

    project: Project

    @property
    def root(self) -> Path:
        return self.project.root

    def run(self) -> Finished:
        """make run"""
        written = self.project.part("pipeline", "synthesize")
        assert written.code == 0, written.out + written.err
        return self.project.part("local", "run", "build/definition.json", "--assets", "build/assets.json")

    def output(self, step: str, name: str) -> Path:
        return self.root / "runs" / "latest" / "outputs" / step / name

    def contract(self, name: str) -> str:
        return (self.output("Evaluate", "contract") / name).read_text(encoding="utf-8")

    @property
    def package(self) -> dict[str, Any]:
        """The version that was registered first."""
        (path,) = (self.root / ".local" / "registry").glob("*/1.json")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found

    @contextmanager
    def served(self) -> Iterator[str]:
        """make serve: its address"""
        process = self.project.start("serve", "--port", "0", "--no-capture")
        try:
            assert process.stdout
            greeting = process.stdout.readline()
            found = re.search(r"http://\S+", greeting)
            assert found, greeting + process.communicate()[1]
            yield found[0]
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=PATIENCE)

    @contextmanager
    def deployed(self) -> Iterator[dict[str, str]]:
        """make deploy-local: the address of each stage"""
        try:
            done = self.project.part("local", "deploy", "--pace", "200", "--rate", "50", "--verify-seconds", "1")
            assert done.code == 0, done.out + done.err
            files = {path.stem: path for path in (self.root / ".local" / "endpoints").glob("*.json")}
            yield {stage: json.loads(path.read_text(encoding="utf-8"))["url"] for stage, path in files.items()}
        finally:
            self.project.part("local", "deploy", "--stop")


def ask(url: str, body: str, kind: str = "application/jsonlines") -> str:
    """The answer to one request."""
    headers = {"Content-Type": kind, "Accept": kind}
    request = urllib.request.Request(f"{url}/invocations", body.encode(), headers)  # noqa: S310
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
        text: str = answer.read().decode()
    return text
