"""The phases of a buildspec and the transitions between them.

"Build phase transitions" in the CodeBuild user guide: a failed install or pre_build ends the build; after a failed
build, post_build and the upload of artifacts still happen; `on-failure` overrides both. A failed command skips the rest
of its list, then the phase's `finally` runs.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rehearsal.emulator.codebuild.buildspec import PHASES, Buildspec, Phase
from rehearsal.emulator.codebuild.shell import Shell

IN_PROGRESS, SUCCEEDED, FAILED = "IN_PROGRESS", "SUCCEEDED", "FAILED"


@dataclass
class Record:
    """One phase as BatchGetBuilds tells it."""

    name: str
    status: str = IN_PROGRESS
    begun: float = field(default_factory=time.time)
    ended: float | None = None
    code: str = ""
    message: str = ""

    def end(self, status: str, code: str = "", message: str = "") -> None:
        """It has ended."""
        self.status, self.code, self.message, self.ended = status, code, message, time.time()


Begin = Callable[[str], Record]  # the name of a phase → its record, which the build keeps


def run(spec: Buildspec, shell: Shell, begin: Begin) -> bool:
    """Run the phases and tell whether artifacts and reports are to be uploaded: after BUILD, even a failed one.

    Whether the build succeeded stands in the records. Raises what Shell.run raises, with the phase left in progress.
    """
    succeeding = True
    for name in PHASES:
        phase = spec.phases.get(name, Phase())
        shell.set("CODEBUILD_BUILD_SUCCEEDING", str(int(succeeding)))
        fails = not _run_phase(phase, shell, begin(name.upper()))
        succeeding = succeeding and not fails
        if fails and not _goes_on(name, phase):
            return name == "post_build"
    return True


def _goes_on(name: str, phase: Phase) -> bool:
    return phase.on_failure == "CONTINUE" or (name == "build" and phase.on_failure != "ABORT")


def _run_phase(phase: Phase, shell: Shell, record: Record) -> bool:
    shell.say(f"Entering phase {record.name}")
    problems = [_run_commands(phase.commands, shell), _run_commands(phase.finally_commands, shell)]
    message = next(filter(None, problems), "")
    record.end(FAILED if message else SUCCEEDED, "COMMAND_EXECUTION_ERROR" if message else "", message)
    shell.say(f"Phase complete: {record.name} State: {record.status}{'. ' if message else ''}{message}")
    return not message


def _run_commands(commands: Sequence[str], shell: Shell) -> str:
    """Empty, or what the failed command is and how it ended."""
    for command in commands:
        shell.say(f"Running command {command}")
        code = shell.run(command)
        if code:
            return f"Error while executing command: {command.strip()}. Reason: exit status {code}"
    return ""
