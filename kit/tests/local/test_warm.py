"""Programs that are forked from a warm process: the same as freshly started ones, as far as they can tell."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.tests.waiting import until
from sagemaker_project_kit.local.jobs.sandbox import inherited_environment
from sagemaker_project_kit.local.jobs.warm import ForkedProgram, WarmPython

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
ENVIRONMENT = inherited_environment()  # pytest changes its own with every test

PROBE = """
import json, os, signal, sys, helper
def main():
    print(json.dumps({
        "argv": sys.argv[1:], "program": os.path.basename(sys.argv[0]), "cwd": os.getcwd(), "helper": helper.__file__,
        "name": __name__, "path": sys.path, "leads": os.getpgid(0) == os.getpid() == os.getsid(0),
        "environment": dict(os.environ), "input": sys.stdin.read(), "flags": list(sys.flags),
        "handlers": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD)],
        "ours": [name for name in sys.modules if name == "local" or name.startswith("local.")],
        "files": sorted(os.listdir("/proc/self/fd")),
    }))
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def warm() -> Iterator[WarmPython]:
    """One that has loaded its libraries."""
    python = WarmPython(ENVIRONMENT)
    try:
        yield python
    finally:
        python.close()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "__init__.py").touch()
    for name in ("probe.py", "package/probe.py"):
        (folder / name).write_text(PROBE, encoding="utf-8")
    (folder / "helper.py").touch()
    return folder


def start(warm: WarmPython, argv: list[str], log: Path, cwd: Path, **variables: str) -> ForkedProgram:
    """Start a program once the libraries are loaded."""
    with log.open("wb") as file:
        words = [sys.executable, *argv]
        program = until(lambda: warm.start(words, {**ENVIRONMENT, **variables}, cwd, file.fileno()))
    assert program
    return program


def forked(warm: WarmPython, argv: list[str], folder: Path, **variables: str) -> tuple[int, str]:
    log = folder / "log"
    code = start(warm, argv, log, folder, **variables).wait()
    return code, log.read_text(encoding="utf-8")


def script(folder: Path, text: str) -> list[str]:
    (folder / "script.py").write_text(text, encoding="utf-8")
    return ["script.py"]


@pytest.mark.parametrize("program", [["-m", "package.probe"], ["code/probe.py"]], ids=["module", "script"])
def test_it_finds_what_a_new_process_finds(warm: WarmPython, code: Path, program: list[str]) -> None:
    argv, variables = [*program, "--rate", "0.1", "größe"], {"PYTHONPATH": str(code), "SM_MODEL_DIR": "/x"}
    status, text = forked(warm, argv, code.parent, **variables)
    assert status == 0, text
    assert json.loads(text) == ordinary(argv, code.parent, variables)


def ordinary(argv: list[str], folder: Path, variables: dict[str, str]) -> Any:
    answer = subprocess.run(
        [sys.executable, *argv],
        env={**ENVIRONMENT, **variables},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        check=True,
    )
    return json.loads(answer.stdout)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("import sys; sys.exit(3)", 3),
        ("raise ValueError('no such column')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("print('done')", 0),
    ],
)
def test_its_end_is_told(warm: WarmPython, tmp_path: Path, text: str, status: int) -> None:
    assert forked(warm, script(tmp_path, text), tmp_path)[0] == status


def test_a_failure_is_in_its_log(warm: WarmPython, tmp_path: Path) -> None:
    log = forked(warm, script(tmp_path, "raise ValueError('no such column')"), tmp_path)[1]
    assert log.splitlines()[-1] == "ValueError: no such column"


def test_a_signal_to_its_group_ends_it(warm: WarmPython, tmp_path: Path) -> None:
    program = start(warm, script(tmp_path, "import time; time.sleep(60)"), tmp_path / "log", tmp_path)
    os.killpg(program.pid, signal.SIGTERM)
    assert program.wait() == -signal.SIGTERM


def test_two_programs_draw_different_numbers(warm: WarmPython, tmp_path: Path) -> None:
    argv = script(tmp_path, "import random, numpy; print(numpy.random.rand(), random.random())")
    drawn = [forked(warm, argv, tmp_path)[1].split() for _ in range(2)]
    assert drawn[0][0] != drawn[1][0]
    assert drawn[0][1] != drawn[1][1]


def test_what_could_tell_the_difference_is_not_forked(warm: WarmPython, tmp_path: Path) -> None:
    assert forked(warm, script(tmp_path, "pass"), tmp_path)[0] == 0
    for argv, variables in (
        ([sys.executable, "script.py"], {"OMP_NUM_THREADS": "3"}),
        ([sys.executable, "-c", "pass"], {}),
        (["bash", "script.py"], {}),
    ):
        assert warm.start(argv, {**ENVIRONMENT, **variables}, tmp_path, 2) is None
    assert warm.start([sys.executable, "script.py"], {"PATH": os.environ["PATH"]}, tmp_path, 2) is None


def test_when_it_was_killed_programs_start_in_the_ordinary_way(warm: WarmPython, tmp_path: Path) -> None:
    program = start(warm, script(tmp_path, "pass"), tmp_path / "log", tmp_path)
    assert program.wait() == 0
    warm._process.kill()  # type: ignore[union-attr]
    warm._process.wait()  # type: ignore[union-attr]
    assert warm.start([sys.executable, "script.py"], ENVIRONMENT, tmp_path, 2) is None
