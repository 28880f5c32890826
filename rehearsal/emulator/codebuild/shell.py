"""One build's shell: each command runs with the variables and the working directory that the one before left.

CodeBuild promises that version 0.2 runs all commands "in the same instance of the default shell" and keeps that promise
by storing variables and folder between them: an error message of a build names its script.sh. So `. file`, `export`,
plain assignments and `cd` last to the end of the build; functions and aliases do not, and `exit` ends one command only.
"""

import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from rehearsal.emulator import children

_SCRIPT = """\
. {environment}
cd "$(cat {directory})" || exit 1
set -a
{command}
CODEBUILD_LAST_EXIT=$?
export -p > {environment}.new && mv {environment}.new {environment}
pwd > {directory}
exit $CODEBUILD_LAST_EXIT
"""
_GRACE_SECONDS = 5.0


class TimedOutError(Exception):
    """The build used up its time."""


class StoppedError(Exception):
    """Somebody stopped the build."""


class Shell:
    """Runs commands in the folder `source`; their output is appended to `log`. `place` is a folder of its own."""

    def __init__(self, program: str, place: Path, source: Path, environment: Mapping[str, str], log: Path) -> None:
        self._program, self._place, self._log = program, place, log
        self._mark = children.new_mark()  # of all its commands, as each hands its environment to the next
        self._environment, self._directory = place / "environment.sh", place / "directory"
        self._deadline = float("inf")
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        place.mkdir(parents=True, exist_ok=True)
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
        self._environment.write_text("".join(lines), encoding="utf-8")
        self._directory.write_text(str(source), encoding="utf-8")

    def limit(self, seconds: float) -> None:
        """From now on, all commands together may take `seconds`."""
        self._deadline = time.monotonic() + seconds

    def set(self, name: str, value: str) -> None:
        """Set a variable for the commands to come."""
        with self._environment.open("a", encoding="utf-8") as file:
            file.write(f"export {name}={shlex.quote(value)}\n")

    def say(self, text: str) -> None:
        """Write a line of the build's own into the log."""
        moment = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime())
        with self._log.open("a", encoding="utf-8") as file:
            file.write(f"[Container] {moment} {text}\n")

    def run(self, command: str) -> int:
        """Run one command and return its exit code. Raises TimedOutError and StoppedError."""
        script = self._place / "script.sh"
        places = {"environment": shlex.quote(str(self._environment)), "directory": shlex.quote(str(self._directory))}
        script.write_text(_SCRIPT.format(command=command, **places), encoding="utf-8")
        with self._log.open("ab") as log:
            words = [self._program, str(script)]
            process = children.start(
                words, cwd=self._place, environment={}, output=log, mark=self._mark, niceness=children.YIELDING
            )
        self._process = process
        return self._wait(process)

    def _wait(self, process: "subprocess.Popen[bytes]") -> int:
        """A command ends whatever it leaves running in the background."""
        remaining = min(self._deadline - time.monotonic(), threading.TIMEOUT_MAX)
        timer = _after(max(remaining, 0), process)
        if self._stopping.is_set():
            children.kill(process, signal.SIGTERM)
        code = children.finish(process)
        timer.cancel()
        if self._stopping.is_set():
            raise StoppedError
        if time.monotonic() >= self._deadline:
            raise TimedOutError
        return code

    def stop(self) -> None:
        """End the command that runs, at once if it does not go by itself."""
        self._stopping.set()
        process = self._process
        if process and process.poll() is None:
            children.kill(process, signal.SIGTERM)
            _after(_GRACE_SECONDS, process)

    def variables(self) -> dict[str, str]:
        """What the next command would find in its environment."""
        dump = f"{shlex.quote(sys.executable)} -I -S -c 'import json, os; print(json.dumps(dict(os.environ)))'"
        text = f". {shlex.quote(str(self._environment))}\n{dump}\n"
        result = subprocess.run([self._program, "-c", text], env={}, capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(result.stdout)
        return found


def _after(seconds: float, process: "subprocess.Popen[bytes]") -> threading.Timer:
    """Kill a program after a time, unless the timer is cancelled."""
    timer = threading.Timer(seconds, children.kill, (process,))
    timer.daemon = True
    timer.start()
    return timer
