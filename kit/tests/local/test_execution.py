"""Parallel steps, failures, full disks, signals, concurrent runs."""

import os
import re
import signal
from pathlib import Path

import pytest

from kit.tests.local.pipelines import (
    CACHED,
    OUTPUT,
    TRAIN,
    WRITE,
    Project,
    alive,
    get,
    output_of,
    processing,
    register,
    send,
    training,
    tuning,
)
from kit.tests.waiting import until

# Leaves its process id, starts a grandchild that does too, and waits for ever.
HANG = """
    import os, pathlib, signal, subprocess, sys, time
    folder = pathlib.Path(sys.argv[1])
    if "stubborn" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (pathlib.Path(sys.argv[2]) / "half.txt").write_text("half")
    (folder / "pids.tmp").write_text(f"{os.getpid()} {child.pid}")
    (folder / "pids.tmp").rename(folder / "pids")
    time.sleep(600)
"""


def hang(project: Project, *more: str, **extra: object) -> list[dict[str, object]]:
    """A step that never ends."""
    code = project.script("hang", HANG)
    return [processing("Hang", code, [str(project.root), f"{OUTPUT}/result", *more], **CACHED)]


def pids(project: Project) -> list[int]:
    """The processes of the step that never ends."""
    until((project.root / "pids").exists)
    return [int(word) for word in (project.root / "pids").read_text().split()]


def test_independent_steps_run_side_by_side(project: Project) -> None:
    meet = """
        import pathlib, sys, time
        mine, other = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
        mine.touch(); deadline = time.monotonic() + 120
        while not other.exists():
            assert time.monotonic() < deadline, "the other step does not run"
            time.sleep(0.01)
    """
    code = project.script("meet", meet)
    one, two = str(project.root / "one"), str(project.root / "two")
    result = project.run([processing("One", code, [one, two]), processing("Two", code, [two, one])], "--jobs", "2")
    assert result.code == 0, result.out


def test_jobs_limits_the_steps_at_a_time(project: Project) -> None:
    alone = """
        import os, sys, time
        os.mkdir(sys.argv[1]); time.sleep(0.05); os.rmdir(sys.argv[1])
    """
    code = project.script("alone", alone)
    steps = [processing(name, code, [str(project.root / "lock")]) for name in ("A", "B", "C")]
    assert project.run(steps, "--jobs", "1").code == 0


def test_depends_on_orders_steps(project: Project) -> None:
    append = project.script("append", "import sys; open(sys.argv[1], 'a').write(sys.argv[2])")
    log = str(project.root / "order.txt")
    steps = [
        processing("Second", append, [log, "2"], DependsOn=["First"]),
        processing("First", append, [log, "1"]),
    ]
    assert project.run(steps).code == 0
    assert Path(log).read_text() == "12"


def test_a_failed_step_says_what_where_and_why(project: Project) -> None:
    code = project.script(
        "fail", "import sys; print('\\n'.join(f'line {n}' for n in range(50))); sys.exit('column [price] is empty')"
    )
    after = processing("After", code, inputs={"x": output_of("Bad")})
    result = project.run([processing("Bad", code), after])
    assert result.code == 1
    assert "Step Bad failed" in result.out and "ended with exit code 1" in result.out
    assert "column [price] is empty" in result.out and "line 49" in result.out and "line 10\n" not in result.out
    log = re.search(r"\(([^()]*Bad\.log)\)", result.out)
    assert log and "line 0" in (project.root / log[1]).read_text()
    assert result.statuses() == {"Bad": "Failed", "After": "Waiting"}
    assert result.execution["PipelineExecutionStatus"] == "Failed"
    assert not project.stored("s3://bucket/runs").exists() and project.leftovers() == []


def test_a_failure_ends_the_steps_beside_it(project: Project) -> None:
    code = project.script(
        "fail", f"import os, time\nwhile not os.path.exists({str(project.root / 'pids')!r}): pass\nraise SystemExit(1)"
    )
    result = project.run([*hang(project), processing("Bad", code)], "--jobs", "2")
    assert result.code == 1
    assert result.statuses() == {"Hang": "Stopped", "Bad": "Failed"}
    assert not any(alive(pid) for pid in pids(project))


def test_a_killed_step_is_told_in_words(project: Project) -> None:
    code = project.script("die", "import os, signal; print('last words'); os.kill(os.getpid(), signal.SIGKILL)")
    result = project.run([processing("Die", code)])
    assert result.code == 1
    assert "was killed (SIGKILL)" in result.step("Die")["FailureReason"] and "last words" in result.out


def test_a_step_may_not_run_for_ever(project: Project) -> None:
    steps = hang(project)
    steps[0]["Arguments"]["StoppingCondition"] = {"MaxRuntimeInSeconds": 1}  # type: ignore[index]
    result = project.run(steps)
    assert result.code == 1
    assert "longer than its limit of 1 s" in result.step("Hang")["FailureReason"]
    assert not any(alive(pid) for pid in pids(project))


def test_a_program_that_does_not_exist(project: Project) -> None:
    step = processing("Gone", project.script("write", WRITE))
    step["Arguments"]["AppSpecification"]["ContainerEntrypoint"] = ["no-such-program"]
    result = project.run([step])
    assert result.code == 1 and "cannot start 'no-such-program'" in result.out


def test_missing_input(project: Project) -> None:
    step = processing("Read", project.script("write", WRITE), inputs={"data": "s3://bucket/nowhere"})
    result = project.run([step])
    assert result.code == 1 and "There is nothing at s3://bucket/nowhere" in result.out


# -- full disks


def test_a_step_on_a_full_disk(project: Project) -> None:
    code = project.script("full", "file = open('/dev/full', 'w'); file.write('x' * 10_000_000)")
    result = project.run([processing("Full", code, **CACHED)])
    assert result.code == 1
    assert "the disk is full" in result.step("Full")["FailureReason"] and "No space left on device" in result.out
    assert project.leftovers() == [] and not list((project.root / ".local").glob("cache/**/*.json"))


def test_a_full_disk_while_copying_an_input(project: Project) -> None:
    data = project.put("s3://bucket/data/big.csv", "x" * 300_000)
    write = processing("Write", project.script("write", WRITE), [f"{OUTPUT}/result", "x"], **CACHED)
    assert project.run([write, processing("Other", project.script("write", WRITE), [f"{OUTPUT}/result"])]).code == 0
    before = sorted(path for path in project.stored("s3://bucket").rglob("*") if path.is_file())
    big = processing("Big", project.script("write", WRITE), [f"{OUTPUT}/result", "x"], {"data": data}, **CACHED)
    result = project.run([big], limit="ulimit -f 100")
    assert result.code == 1, result.out + result.err
    assert "the disk is full" in result.out and "Step Big failed" in result.out
    after = sorted(path for path in project.stored("s3://bucket").rglob("*") if path.is_file())
    assert after == before and project.leftovers() == []


def test_a_full_disk_while_packing_a_model(project: Project) -> None:
    train = "import os; [open(f'../model/{n}', 'wb').write(os.urandom(60_000)) for n in range(5)]"
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": train})
    steps = [
        training("Train", archive, **CACHED),
        register("Register", get("Steps.Train.ModelArtifacts.S3ModelArtifacts")),
    ]
    result = project.run(steps, limit="ulimit -f 100")
    assert result.code == 1, result.out + result.err
    assert "the disk is full" in result.step("Train")["FailureReason"]
    assert not project.stored("s3://bucket/models").exists() and not (project.root / ".local/registry").exists()
    assert project.leftovers() == [] and not list((project.root / ".local").glob("cache/**/*.json"))


def test_a_full_disk_before_the_first_step(project: Project) -> None:
    project.put("s3://bucket/data/big.csv", "x" * 300_000)
    result = project.run([processing("Write", project.script("write", WRITE))], limit="ulimit -f 100")
    assert result.code == 2, result.out + result.err
    assert "Cannot store" in result.err and "Traceback" not in result.err
    assert not project.stored("s3://bucket/data").exists() and project.leftovers() == []


# -- being stopped


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_every_child(project: Project, number: signal.Signals, code: int) -> None:
    project.define(hang(project))
    process = project.start("run", "definition.json", "--assets", "assets.json")
    children = pids(project)
    send(process, number)
    result = project.finish(process)
    assert result.code == code, result.err
    assert not any(alive(pid) for pid in children)
    assert result.execution["PipelineExecutionStatus"] == "Stopped" and result.statuses() == {"Hang": "Stopped"}
    assert not project.stored("s3://bucket/runs").exists() and project.leftovers() == []


def test_a_second_signal_kills_what_ignores_the_first(project: Project) -> None:
    project.define(hang(project, "stubborn"))
    process = project.start("run", "definition.json", "--assets", "assets.json")
    children = pids(project)
    send(process, signal.SIGINT)
    send(process, signal.SIGTERM)
    assert project.finish(process).code in (130, 143)
    assert not any(alive(pid) for pid in children)


def test_a_stop_ends_tuning(project: Project) -> None:
    started = str(project.root / "started")
    train = f"import time; open({started!r}, 'w'); time.sleep(600)"
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": train})
    ranges = {"ContinuousParameterRanges": [{"Name": "eta", "MinValue": "0", "MaxValue": "1"}]}
    project.define([tuning("Tune", archive, ranges, jobs=50)])
    process = project.start("run", "definition.json", "--assets", "assets.json")
    until(Path(started).exists)
    send(process, signal.SIGINT)
    result = project.finish(process)
    assert result.code == 130 and result.statuses() == {"Tune": "Stopped"}


def test_a_killed_run_leaves_no_process_and_the_next_one_tidies_up(project: Project) -> None:
    project.define(hang(project))
    process = project.start("run", "definition.json", "--assets", "assets.json")
    children = pids(project)
    send(process, signal.SIGKILL)
    killed = project.finish(process)
    until(lambda: not any(alive(pid) for pid in children))
    assert killed.execution["PipelineExecutionStatus"] == "Executing", "what it had written is readable"
    assert project.leftovers(), "a killed process cannot tidy up"
    code = project.script("write", WRITE)
    assert project.run([processing("Write", code, [f"{OUTPUT}/result"])]).code == 0
    assert project.leftovers() == []


def test_runs_at_the_same_time_do_not_disturb_one_another(project: Project) -> None:
    archive = project.archive("s3://bucket/s.tar.gz", {"train.py": TRAIN})
    code = project.script("write", WRITE)
    steps = [
        processing("Write", code, [f"{OUTPUT}/result", get("Execution.PipelineExecutionId")], **CACHED),
        training("Train", archive, {"eta": "0.1"}, channels={"train": output_of("Write")}, **CACHED),
        register("Register", get("Steps.Train.ModelArtifacts.S3ModelArtifacts")),
    ]
    project.define(steps)
    processes = [project.start("run", "definition.json", "--assets", "assets.json") for _ in range(4)]
    results = [project.finish(process) for process in processes]
    assert [result.code for result in results] == [0] * 4, [result.out + result.err for result in results]
    versions = sorted(path.name for path in (project.root / ".local/registry/churn").iterdir())
    assert versions == ["1.json", "2.json", "3.json", "4.json"]
    folders = [path for path in (project.root / "runs").iterdir() if not path.is_symlink()]
    assert len(folders) == 4 and project.leftovers() == []
    written = list(project.stored("s3://bucket/runs").iterdir())
    assert all((folder / "Write/result/value.txt").read_text() == folder.name for folder in written)
    assert all(re.fullmatch(r"[a-z0-9]{12}", folder.name) for folder in written)


def test_what_a_step_leaves_running_is_ended(project: Project) -> None:
    leave = """
        import pathlib, subprocess, sys
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        pathlib.Path(sys.argv[1]).write_text(str(child.pid))
    """
    result = project.run([processing("Leave", project.script("leave", leave), [str(project.root / "pid")])])
    assert result.code == 0
    pid = int((project.root / "pid").read_text())
    until(lambda: not alive(pid))


def test_the_terminal_table(project: Project) -> None:
    """With a terminal on standard output the table is drawn; run under a pseudo-terminal."""
    import pty
    import subprocess
    import sys

    project.define([processing("Write", project.script("write", WRITE), [f"{OUTPUT}/result"])])
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "sagemaker_project_kit.local", "run", "definition.json", "--assets", "assets.json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
    process = subprocess.Popen(command, cwd=project.root, env=environment, stdout=slave, stderr=slave, stdin=slave)
    os.close(slave)
    shown = b""
    while process.poll() is None or b"Succeeded" not in shown:
        try:
            shown += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    assert process.wait() == 0
    assert "✔ succeeded".encode() in shown and b"Write" in shown
