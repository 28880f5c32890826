"""A rehearsal as a guest of this machine: whichever way it ends, it leaves no process, no port and no file elsewhere.

Processes are looked for by a word in their command lines, as `ps` shows them, and not by what the rehearsal goes by.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kit.tests.waiting import PATIENCE, until
from rehearsal import __main__ as program
from rehearsal import guardian, memory, preflight, processes
from rehearsal.host import ROOT, Emulator
from rehearsal.report import facts as recorded
from tests.numbers import next_account
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import role
from tests.rehearsal.served import Hosting
from tests.rehearsal.test_codebuild import IMAGE, finished

HOME = """
    import os
    async def app(scope, receive, send):
        await receive()
        body = f"{os.environ['HOME']} {os.environ['TMPDIR']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/csv")]})
        await send({"type": "http.response.body", "body": body})
"""
# What a build may leave: programs in sessions of their own. Where orphans cannot be had, one without the environment
# that it was given is found only if it lives for some seconds.
STRAY = """
    import os, subprocess, sys
    for environment in (None, {}) if sys.platform == "linux" else (None,):
        program = [sys.executable, "-c", "import time; time.sleep(300)", sys.argv[1]]
        subprocess.Popen(program, start_new_session=True, env=environment)
"""
HOST = """
    import sys
    from pathlib import Path
    from rehearsal import host
    with host.emulator(Path(sys.argv[1])) as running:
        print(running.address, running.process.pid, flush=True)
        if "error" in sys.stdin.readline():
            raise ZeroDivisionError
"""


def called(word: str) -> set[int]:
    """The processes that have a word in their command line, but for pytest and what asks."""
    shown = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,stat=,command="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in shown.stdout.splitlines()]
    return {int(row[0]) for row in rows if len(row) > 2 and word in row[2] and row[1][0] != "Z"} - {os.getpid()}


def build(account: Account, *commands: str) -> str:
    """Start a build of these commands; its id."""
    spec = f"version: 0.2\nphases: {json.dumps({'build': {'commands': list(commands)}})}"
    client = account.client("codebuild")
    client.create_project(
        name="stray",
        source={"type": "NO_SOURCE", "buildspec": spec},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=IMAGE,
        serviceRole=role(account, "build", "codebuild"),
    )
    return str(client.start_build(projectName="stray")["build"]["id"])


def stray(folder: Path) -> str:
    """The command that leaves programs behind, with the folder's name in their command lines."""
    folder.mkdir(exist_ok=True)
    (folder / "stray.py").write_text(textwrap.dedent(STRAY))
    return f"python3 {folder}/stray.py stray-of-{folder}"


def busy(account: Account, folder: Path, serves: bool) -> None:
    """A build that runs and has left programs behind, and an endpoint that serves."""
    if serves:
        hosting = Hosting(account)
        assert hosting.endpoint("e", hosting.config("c", HOME, 1))["EndpointStatus"] == "InService"
    build(account, f"{stray(folder)}; sleep 300")
    until(lambda: len(called(f"stray-of-{folder}")) > 1)


@contextmanager
def hosted(state: Path, serves: bool) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A program that hosts an emulator which is busy, and the number of its guardian."""
    command = [sys.executable, "-c", textwrap.dedent(HOST), str(state)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, cwd=ROOT, **pipes) as started:  # type: ignore[call-overload]
        try:
            address, leader = started.stdout.readline().split()
            busy(Account(Emulator(address, state, started), next_account()), state, serves)
            yield started, int(leader)
        finally:
            started.kill()


def mark_of(leader: int) -> str:
    """The mark of a rehearsal, as its guardian was told."""
    shown = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(leader)], capture_output=True, text=True, check=True
    )
    return shown.stdout.split("rehearsal.guardian ")[1].split()[0]


def end(started: "subprocess.Popen[str]", leader: int, way: str) -> None:
    """Bring the end about; whoever hosts the emulator is gone afterwards."""
    served = min(processes.descendants(leader) & called("-m rehearsal.emulator"))  # it forks, to save
    assert started.stdin
    if way in ("success", "error"):
        started.stdin.write(f"{way}\n")
    elif way in ("the emulator is killed", "the guardian is killed"):
        os.kill(served if "emulator" in way else leader, signal.SIGKILL)
    else:
        for name in way.split():
            started.send_signal(signal.Signals[name])
    started.stdin.close()
    started.wait(PATIENCE)


WAYS = ["success", "error", "SIGINT", "SIGINT SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "the emulator is killed"]


@pytest.mark.parametrize("way", [*WAYS, "the guardian is killed"])
def test_no_process_is_left(state: Path, way: str) -> None:
    with hosted(state, serves=way in ("SIGINT", "the emulator is killed")) as (started, leader):
        if "guardian" in way:  # without it, nobody can tell where a program without environment came from
            processes.end(lambda: called(f"stray-of-{state}") - processes.marked(mark_of(leader)))
        end(started, leader, way)
        own = {started.pid}
        if way == "SIGKILL":  # nobody waits for the guardian then
            until(lambda: not called(str(state)) - own)
        assert called(str(state)) - own == set()


def test_what_a_build_left_in_a_session_of_its_own_ends_with_its_command(account: Account, tmp_path: Path) -> None:
    command = f"python3 {tmp_path}/stray.py stray-of-{tmp_path}"
    stray(tmp_path)
    (tmp_path / "stray.py").write_text(textwrap.dedent(STRAY).replace("(None, {})", "(None,)"))
    identifier = build(account, f"{command}; until ps -A -ww -o command= | grep -q [s]tray-of-{tmp_path}; do :; done")
    assert finished(account, identifier)["buildStatus"] == "SUCCEEDED"
    assert called(f"stray-of-{tmp_path}") == set()


def test_who_was_seen_below_the_guardian_is_found_after_its_parent_is_gone() -> None:
    seen, word = guardian._Seen(), f"orphan-{uuid.uuid4()}"
    words = [sys.executable, "-c", "import time; time.sleep(300)", word]
    parent = f"import subprocess, sys; subprocess.Popen({words!r}, start_new_session=True, env={{}}); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as between:
        (orphan,) = until(lambda: called(word) - {between.pid})
        seen.look()
    assert orphan in seen.left()
    assert processes.end(lambda: seen.left() & {orphan}) == set()
    assert called(word) == set()


def test_an_environment_that_ps_shows_is_read_as_that_of_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        b"  71 /usr/bin/python3 -m x REHEARSAL_MARK=7-a/2 HOME=/r",
        b" 72 sh -c true REHEARSAL_MARK=7-ab",
        b" 73 -sh",
    ]
    monkeypatch.setattr("rehearsal.processes.sys.platform", "darwin")
    monkeypatch.setattr(processes, "_ps", lambda *_: lines)
    assert (processes.marked("7-a"), processes.marked("7-ab"), processes.marked("7")) == ({71}, {72}, set())


# The story itself

AS_A_PERSON = """
    import functools, sys
    from pathlib import Path
    from rehearsal import __main__ as program
    program.rehearse = functools.partial(program.rehearse, kept=Path(sys.argv.pop()))
    sys.exit(program.main())
"""


@contextmanager
def story(folder: Path, until_step: str, kept: Path, *more: str) -> Iterator["subprocess.Popen[str]"]:
    """The rehearsal with a home, a temporary folder and a working folder of its own; what it keeps lies in `kept`."""
    for name in ("home", "tmp", "cwd"):
        (folder / name).mkdir(parents=True)
    environment = {**os.environ, "HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp"), "PYTHONPATH": str(ROOT)}
    words = ["--size", "small", "--no-permissions", "--until", until_step, *more, str(kept)]
    command = [sys.executable, "-B", "-c", textwrap.dedent(AS_A_PERSON), *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "preexec_fn": hear_hangups}
    with subprocess.Popen(command, text=True, cwd=folder / "cwd", env=environment, **pipes) as started:  # type: ignore[call-overload]
        try:
            yield started
        finally:
            started.kill()


def hear_hangups() -> None:
    """A program that nohup started leaves SIGHUP ignored, in its children too."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def printed(started: "subprocess.Popen[str]", last: str) -> Iterator[str]:
    """What a program prints, up to the line that begins with `last`."""
    assert started.stdout
    for line in started.stdout:
        yield line.rstrip("\n")
        if line.startswith(last):
            return


def require_pasteable(lines: list[str], where: Path) -> None:
    """Each address and each command of a rehearsal that goes on can be pasted into a shell as it stands."""
    given = {line[:10].strip(): line[10:] for line in lines[lines.index("Still running, until Ctrl-C:") + 1 :]}
    assert "Account 111111111111" in pasted(f"curl -sf {given['look']}", where)
    assert len(json.loads(pasted(given["AWS CLI"], where))["pipelines"]) == 2
    pasted(given["git"], where)
    assert Path(given["report"]).read_text().startswith("<!doctype html>")
    assert Path(given["log"]).exists()


def pasted(command: str, where: Path) -> str:
    """What a command prints in a shell whose home is beside its working folder."""
    environment = {**os.environ, "HOME": str(where.parent / "home")}
    done = subprocess.run(["sh", "-c", command], cwd=where, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.story
def test_two_at_once_come_to_their_ends_and_write_nothing_elsewhere(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with story(tmp_path / "one", "create", kept) as one, story(tmp_path / "two", "create", kept, "--keep") as two:
        lines = list(printed(two, "log "))
        require_pasteable(lines, tmp_path / "two" / "cwd")
        two.send_signal(signal.SIGINT)
        told = [each.communicate(timeout=PATIENCE)[0] for each in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], [lines, told]
    own = [path for name in ("one", "two") for path in (tmp_path / name).rglob("*") if not path.is_dir()]
    assert own == []
    folders = [path for path in kept.iterdir() if not path.is_symlink()]
    assert len(folders) == 2
    assert (kept / "latest").resolve() in folders
    for folder in folders:
        facts = recorded.read(folder / "facts.json")
        assert (facts.outcome, facts.peak_processes >= 3) == ("played", True)
        assert 100 < facts.peak_memory_mb < 4096
    assert called(str(tmp_path)) == set()


@pytest.mark.parametrize("way", ["SIGINT", "SIGINT SIGINT", "SIGHUP", "SIGKILL"])
def test_no_process_is_left_of_a_publication(tmp_path: Path, way: str) -> None:
    """The command line that publishes is a program of the story: it carries the mark, and descends from no guardian."""
    with story(tmp_path, "publish", tmp_path / "kept") as started:
        until(lambda: processes.descendants(started.pid) & called("-m service_catalog"))
        below = processes.descendants(started.pid)
        for name in way.split():
            started.send_signal(signal.Signals[name])
        started.wait(PATIENCE)
        if way == "SIGKILL":
            until(lambda: not below & set(processes.running()))
    assert below & set(processes.running()) == set()
    assert called(str(tmp_path)) == set()
    if way != "SIGKILL":
        assert recorded.read(tmp_path / "kept" / "latest" / "facts.json").outcome == "interrupted"


# Ports and files


@pytest.fixture(scope="module")
def hosting(emulator: Emulator) -> Hosting:
    """An endpoint that tells where its home is."""
    found = Hosting(Account(emulator, next_account()))
    assert found.endpoint("e", found.config("c", HOME, 1))["EndpointStatus"] == "InService"
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's list of sockets")
def test_nothing_listens_but_on_loopback(hosting: Hosting) -> None:
    leader = hosting.account.emulator.process.pid
    owned = {link for pid in processes.descendants(leader) for link in _open_files(pid)}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in owned:
                listening.append(fields[1].rpartition(":")[0])
    assert len(listening) >= 2, "the emulator and the endpoint listen"
    assert set(listening) <= {"0100007F", "00000000000000000000000001000000"}


def _open_files(process: int) -> Iterator[str]:
    with suppress(OSError):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                yield str(link.readlink())


def test_builds_and_endpoints_have_homes_and_temporary_folders_of_their_own(hosting: Hosting) -> None:
    state = hosting.account.emulator.state.resolve()
    command = f'test "${{HOME#{state}}}" != "$HOME" && test "${{TMPDIR#{state}}}" != "$TMPDIR" && mktemp'
    built = finished(hosting.account, build(hosting.account, command))
    assert built["buildStatus"] == "SUCCEEDED", built["phases"]
    home, temporary = hosting.invoke("e")["body"].decode().split()
    assert Path(home).is_relative_to(state)
    assert Path(temporary).is_relative_to(state)


# What this machine must have


def test_missing_tools_are_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(shutil.which("git") or "")
    command = [sys.executable, "-c", textwrap.dedent(AS_A_PERSON), str(tmp_path / "kept")]
    environment = {**os.environ, "PATH": str(tmp_path / "bin")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "needs make" in done.stdout
    assert not (tmp_path / "kept").exists()


def test_on_windows_it_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.preflight.os.name", "nt")
    with pytest.raises(preflight.MachineError, match="WSL"):
        preflight.require(tmp_path)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(preflight.MachineError, match=r"cannot: (Not a directory|File exists)"):
        preflight.require(tmp_path / "file" / "kept")


def test_a_full_disk_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("rehearsal.preflight.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 3 * 10**8))
        with pytest.raises(preflight.MachineError, match=r"needs 2 GB below .*; 0\.3 GB are free"):
            preflight.require(tmp_path)

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "facts.json")

    monkeypatch.setattr(program, "rehearse", fill)
    monkeypatch.setattr(sys, "argv", ["rehearsal"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert program.main() == 1
    assert capsys.readouterr().out.startswith("facts.json: No space left on device.")


# Memory


def test_memory_is_that_of_everything_below() -> None:
    program = "x = bytearray(150_000_000); input()"
    with memory.watched() as peak:
        peak.look()
        before = peak.megabytes
        with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE):
            until(lambda: peak.megabytes > before + 120)
    assert peak.processes > 1
    assert peak.megabytes < before + 400
