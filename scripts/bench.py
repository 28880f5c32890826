"""make bench: the figures of the README, each a ratio of two things measured in the same run, the anchor beside ours.

Times of two commands are taken in turn (ours, anchor, ours, …) and the ratio is that of their medians, so that a
machine that grows slow during the run slows both. Nothing here is a test: a ratio past its limit is shown, not raised.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.bake import ROOT, bake_afresh
from scripts.load import Load, free_port, measure, wait_until_up
from scripts.project import environment

TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
BUILD = ROOT / "build" / "bench"
# The requirements of the buildspec in AWS's published MLOps sample for model building, training and deployment.
SAMPLE_REQUIREMENTS = ("sagemaker==2.93.0", "awscli>1.20.30")
WEB_REQUIREMENTS = ("flask==3.1.2", "gunicorn==23.0.0")
console = Console()


@dataclass(frozen=True)
class Result:
    """A ratio, what it may be, and the two figures it is made of."""

    name: str
    ours: float
    anchor: float
    unit: str
    limit: float
    at_least: bool = False

    @property
    def ratio(self) -> float:
        """Ours divided by the anchor."""
        return self.ours / self.anchor

    @property
    def kept(self) -> bool:
        """Whether the ratio is on the right side of its limit."""
        return self.ratio >= self.limit if self.at_least else self.ratio <= self.limit


def seconds(command: list[str], cwd: Path = ROOT, **environ: str) -> float:
    """The wall time of one run of a command, which must succeed."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=cwd, env={**environment(), **environ}, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return time.perf_counter() - started


def in_turn(ours: Callable[[], float], anchor: Callable[[], float], rounds: int) -> tuple[float, float]:
    """The medians of both, measured alternately."""
    pairs = [(ours(), anchor()) for _ in range(rounds)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        yield Path(folder)


def installation(_project: Path) -> Iterator[Result]:
    """Setting up in an empty environment and with empty caches, against the published sample's requirements.

    Nothing is removed in between: right after many files are, ext4 takes seconds longer to make new ones.
    """
    with scratch() as folder:
        sample = _install_sample(folder / "sample")
        build = _install(folder / "build", "deploy", "local", "sdk")
        deploy = _install(folder / "deploy", "deploy", "local")
    yield Result("set up the build half", build, sample, "s", 0.4)
    yield Result("set up the deploy half and local/", deploy, sample, "s", 0.1)


def _install(folder: Path, *groups: str) -> float:
    folder.mkdir()
    for name in ("Makefile", "environment.mk", "pyproject.toml", "requirements.lock"):
        shutil.copy(TEMPLATE / name, folder)
    shutil.copytree(TEMPLATE / "vendor", folder / "vendor")
    stamp = f".venv/{'+'.join(groups)}.installed"
    return seconds(["make", stamp], folder, UV_CACHE_DIR=str(folder / "cache"), PIP_NO_CACHE_DIR="1")


def _install_sample(folder: Path) -> float:
    started = seconds([sys.executable, "-m", "venv", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-cache-dir"]
    return started + seconds([*pip, *SAMPLE_REQUIREMENTS])


def synthesis(project: Path) -> Iterator[Result]:
    """Writing the definition, against importing the parts of the SDK that it uses."""
    python = str(project / ".venv" / "bin" / "python")
    synthesize = [python, "-m", "sagemaker_project_kit.pipeline", "synthesize"]
    imports = (
        "from sagemaker_project_kit.pipeline.session import offline\nwith offline():\n    import model_build.pipeline"
    )

    def ours() -> float:
        shutil.rmtree(project / "build", ignore_errors=True)
        return seconds(synthesize, project)

    yield Result("write the definition", *in_turn(ours, lambda: seconds([python, "-c", imports], project), 3), "s", 1.3)
    again = in_turn(lambda: seconds(synthesize, project), lambda: seconds([python, "-c", imports], project), 3)
    yield Result("take an unchanged definition", *again, "s", 0.2)


STEPS_IN_ONE_PROCESS = """
import json, os, sys, tarfile
from pathlib import Path

root = Path(sys.argv[1])
build = root / "project" / "build"
arguments = {step["Name"]: step["Arguments"] for step in json.loads((build / "definition.json").read_text())["Steps"]}
staged = {path.name: path for path in map(Path, json.loads((build / "assets.json").read_text()).values())}
folder = {name: root / name for name in ("raw", "output", "model", "data", "packed", "champion")}
for path in folder.values():
    path.mkdir(parents=True)
(folder["raw"] / "churn.csv").symlink_to(staged["churn.csv"])
os.environ.update(SM_MODEL_DIR=str(folder["model"]), SM_OUTPUT_DATA_DIR=str(folder["data"]))
os.environ.update({f"SM_CHANNEL_{name.upper()}": str(folder["output"] / name)
    for name in ("train", "validation", "transformation")})

from sagemaker_project_runtime.steps import preprocess
preprocess.main(["--data", str(folder["raw"]), "--config", str(staged["preprocess.json"]),
    "--output", str(folder["output"])])

from sagemaker_project_runtime.steps import train
given = arguments["Train"]["HyperParameters"].items()
train.main([word for name, value in given if not name.startswith("sagemaker_") for word in (f"--{name}", value)])
with tarfile.open(folder["packed"] / "model.tar.gz", "w:gz") as archive:
    archive.add(folder["model"], arcname=".")

from sagemaker_project_runtime.steps import evaluate
evaluate.main(["--model", str(folder["packed"]), "--test", str(folder["output"] / "test"),
    "--champion", str(folder["champion"]), "--metric", "auc", "--threshold", "0.5",
    "--champion-tolerance", "0.01", "--output", str(root / "evaluated")])
"""


def pipeline(project: Path) -> Iterator[Result]:
    """`make run`, every step computed, against the same steps called one after another in one process."""
    python = str(project / ".venv" / "bin" / "python")

    def ours() -> float:
        for state in (".local", "runs"):
            shutil.rmtree(project / state, ignore_errors=True)
        return seconds(["make", "run"], project)

    def anchor() -> float:
        with scratch() as folder:
            (folder / "project").symlink_to(project)
            return seconds([python, "-c", STEPS_IN_ONE_PROCESS, str(folder)], project)

    for times in (1, 10):
        rows = _repeat_rows(project / "data" / "churn.csv", times)
        seconds(["make", "run"], project)  # the definition is written once; what is measured is running it
        yield Result(f"make run, {rows:,} rows", *in_turn(ours, anchor, 5), "s", 1.5)


def _repeat_rows(path: Path, times: int) -> int:
    """Make the file so many times as long, and return how many rows it has then."""
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([header, *(rows * times)]), encoding="utf-8")
    return len(rows) * times


FLASK = """
import flask, os
from sagemaker_project_runtime.serving import inference
model = inference.model_fn(os.environ["SM_MODEL_DIR"])
app = flask.Flask(__name__)
@app.post("/invocations")
def invocations():
    request = inference.input_fn(flask.request.get_data(), flask.request.content_type)
    answer, content_type = inference.output_fn(inference.predict_fn(request, model), "text/csv")
    return flask.Response(answer, content_type=content_type)
@app.get("/ping")
def ping():
    return ""
"""

# One connection sends its next request this long after the last began; in between, caches cool and the core rests.
PACE_SECONDS = 0.0004

BARE_CALL = """
import statistics, sys, time
from sagemaker_project_runtime.serving import inference
model, body, times = inference.model_fn(sys.argv[1]), sys.argv[2].encode(), []
for _ in range(3000):
    time.sleep(float(sys.argv[3]))
    started = time.perf_counter()
    inference.output_fn(inference.predict_fn(inference.input_fn(body, "text/csv"), model), "text/csv")
    times.append(time.perf_counter() - started)
print(statistics.median(times[500:]) * 1e6)
"""


def serving(project: Path) -> Iterator[Result]:
    """The packed handler over HTTP: our ASGI application against Flask behind gunicorn, and against a bare call."""
    python = str(project / ".venv" / "bin" / "python")
    with scratch() as folder:
        with tarfile.open(_newest_model(project)) as archive:
            archive.extractall(folder, filter="data")
        body = _one_row(project)
        environ = {"SM_MODEL_DIR": str(folder), "PYTHONPATH": str(folder / "code"), "OMP_NUM_THREADS": "1"}
        (folder / "code" / "flask_app.py").write_text(FLASK, encoding="utf-8")
        uvicorn = [python, "-m", "uvicorn", "app:app", "--log-level", "error", "--no-access-log", "--port"]
        gunicorn = [python, "-m", "gunicorn", "flask_app:app", "--workers", "1", "--log-level", "error", "--bind"]
        loads: dict[str, list[Load]] = {"asgi": [], "flask": [], "one": []}
        bare: dict[float, list[float]] = {0.0: [], PACE_SECONDS: []}
        for _ in range(3):
            loads["asgi"].append(_serve(lambda port: [*uvicorn, str(port)], environ, folder, body, 8))
            loads["flask"].append(_serve(lambda port: [*gunicorn, f"127.0.0.1:{port}"], environ, folder, body, 8))
            loads["one"].append(_serve(lambda port: [*uvicorn, str(port)], environ, folder, body, 1))
            for pause, found in bare.items():
                found.append(_bare_call(python, environ, folder, body, pause))
    rate = {name: statistics.median(load.requests_per_second for load in found) for name, found in loads.items()}
    yield Result("ASGI against Flask and gunicorn", rate["asgi"], rate["flask"], "requests/s", 1.8, at_least=True)
    median = statistics.median(load.p50_us for load in loads["one"])
    tight, paced = (statistics.median(times) for times in bare.values())
    yield Result("p50 over HTTP against a bare call, in a tight loop", median, tight, "µs", 1.7)
    yield Result("… against a bare call, at the pace of requests", median, paced, "µs", 1.7)


def _bare_call(python: str, environ: dict[str, str], folder: Path, body: str, pause: float) -> float:
    """Median microseconds of the handler's functions called directly, `pause` seconds apart."""
    command = [python, "-c", BARE_CALL, str(folder), body, str(pause)]
    done = subprocess.run(command, env={**environment(), **environ}, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _serve(command: Callable[[int], list[str]], environ: dict[str, str], folder: Path, body: str, clients: int) -> Load:
    port = free_port()
    server = subprocess.Popen(command(port), env={**environment(), **environ}, cwd=folder / "code", text=True)
    try:
        wait_until_up(port, server)
        return measure(port, body.encode(), clients=clients, seconds=4.0)
    finally:
        server.terminate()
        server.wait(timeout=20)


def _newest_model(project: Path) -> Path:
    """The model of the newest run; a first run makes one."""
    if not any((project / ".local" / "s3").rglob("model.tar.gz")):
        seconds(["make", "run"], project)
    return max((project / ".local" / "s3").rglob("model.tar.gz"), key=lambda path: (path.stat().st_mtime_ns, str(path)))


def _one_row(project: Path) -> str:
    """A real row as a client sends it: without the target, with a header."""
    sample = next((project / ".local" / "s3").rglob("sample.jsonl"))
    row = json.loads(sample.read_text(encoding="utf-8").splitlines()[0])
    return ",".join("" if value is None else str(value) for value in row.values())


def baking(_project: Path) -> Iterator[Result]:
    """Baking this template, against baking one that is empty."""
    with scratch() as folder:
        empty = folder / "empty" / "{{cookiecutter.project_slug}}"
        empty.mkdir(parents=True)
        (empty / "README.md").write_text("# {{cookiecutter.project_slug}}\n", encoding="utf-8")
        (empty.parent / "cookiecutter.json").write_text('{"project_slug": "empty"}', encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "cookiecutter",
            "--no-input",
            "--overwrite-if-exists",
            "--output-dir",
            str(folder / "out"),
        ]
        medians = in_turn(lambda: seconds([*command, str(ROOT)]), lambda: seconds([*command, str(empty.parent)]), 11)
        yield Result("bake a project", *medians, "s", 1.1)


BENCHES: dict[str, Callable[[Path], Iterator[Result]]] = {
    "installation": installation,
    "synthesis": synthesis,
    "pipeline": pipeline,
    "serving": serving,
    "baking": baking,
}


def prepare() -> Path:
    """A baked project with its environment, and with Flask and gunicorn beside it for the comparison."""
    project = bake_afresh(BUILD)
    seconds(["make", "install"], project)
    uv = [
        str(project / ".venv" / "bin" / "uv"),
        "pip",
        "install",
        "--quiet",
        "--python",
        str(project / ".venv" / "bin" / "python"),
    ]
    seconds([*uv, *WEB_REQUIREMENTS], project)
    return project


def table(results: list[Result]) -> Table:
    """What a person reads."""
    shown = Table(title="ours ÷ anchor, measured in one run")
    for name in ("", "ours", "anchor", "ratio", "limit"):
        shown.add_column(name, justify="left" if not name else "right")
    for result in results:
        colour = "green" if result.kept else "red"
        limit = f"{'≥' if result.at_least else '≤'} {result.limit:g}"
        figures = [f"{value:,.2f} {result.unit}" for value in (result.ours, result.anchor)]
        shown.add_row(result.name, *figures, f"[{colour}]{result.ratio:.2f}[/]", limit)
    return shown


def main() -> None:
    """Measure all, or those named; write build/bench/results.json."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench")
    parser.add_argument("only", nargs="*", metavar="BENCH", help=f"some of: {', '.join(BENCHES)}")
    names = parser.parse_args().only or list(BENCHES)
    project = prepare()
    results: list[Result] = []
    for name in names:
        console.print(f"measuring: {name} …")
        results += BENCHES[name](project)
    console.print(table(results))
    facts = [asdict(result) | {"ratio": result.ratio, "kept": result.kept} for result in results]
    (BUILD / "results.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
