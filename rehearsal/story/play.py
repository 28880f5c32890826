"""Plays the steps one after another and stops at the first that does not come out as it should.

After each step the emulator is asked for calls that were denied since: one is enough to fail the step.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.report.facts import StepFact
from rehearsal.story import pipelines
from rehearsal.story.errors import DeniedError, StoryError
from rehearsal.story.step import Step
from rehearsal.story.world import World


def facts_of(steps: Sequence[Step]) -> list[StepFact]:
    """The steps as the report lists them, all of them waiting."""
    return [StepFact(step.name, step.title) for step in steps]


def play(steps: Sequence[Step], world: World) -> None:
    """Play them. Raises StoryError of the first that failed, after noting in the facts what happened.

    The facts may list more steps, which come after these and are not played.
    """
    world.check = lambda: require_no_denial(world)
    done = ""
    for step, fact in zip(steps, world.facts.steps, strict=False):
        try:
            with _noted(world, fact):
                _act(step, world)
        except StoryError as error:
            error.before = done
            raise
        done = step.name


def _act(step: Step, world: World) -> None:
    try:
        step.act(world)
    except (StoryError, ClientError, BotoCoreError) as error:
        require_no_denial(world)  # a denied call says more than what it led to
        raise _as_story_error(error, world) from error
    require_no_denial(world)
    pipelines.require_known(world)


@contextmanager
def _noted(world: World, fact: StepFact) -> Iterator[None]:
    """Note when a step began and how it ended."""
    began = time.monotonic()
    world.step, fact.state, fact.started = fact, "running", began - world.began
    world.show.changed(fact)
    try:
        yield
        fact.state = "done"
    except StoryError as error:
        fact.state, fact.problem = "failed", error.sentence
        raise
    except BaseException as error:
        fact.state, fact.problem = _end(error)
        raise
    finally:
        fact.seconds = time.monotonic() - began
        world.show.changed(fact)


def _end(error: BaseException) -> tuple[Any, str]:
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "interrupted", "interrupted"
    return "failed", f"{type(error).__name__}: {error}"


def _as_story_error(error: Exception, world: World) -> StoryError:
    if isinstance(error, StoryError):
        return error
    return StoryError("every call of this step to succeed", str(error), world.logs / "log")


def require_no_denial(world: World) -> None:
    """Raises DeniedError naming what was denied since the last time."""
    if not world.options.enforce:
        return
    denials = world.emulator.admin("denials")
    new = denials[world.kept.get("denials", 0) :]
    world.kept["denials"] = len(denials)
    if new:
        raise DeniedError("every call to be allowed", "\n".join(map(_denial, new)), world.logs / "log")


def _denial(denial: Any) -> str:
    """One denial: the emulator's own words, with the statement that would allow it, or whatever it knows of it."""
    if not isinstance(denial, dict):
        return str(denial)
    if denial.get("sentence"):
        made = f"\nCloudFormation asked for it for {denial['made']}." if denial.get("made") else ""
        return f"{denial['sentence']}{made}"
    return ", ".join(f"{key} {value}" for key, value in denial.items() if value)
