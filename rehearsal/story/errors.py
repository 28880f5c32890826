"""What stops the story.

StoryError
├── DeniedError   a call that a role was not allowed to make
└── OverdueError  something that did not come in time
"""

from collections.abc import Sequence


class StoryError(Exception):
    """A step did not come out as it should: what was expected, what was found, and where to look.

    `before` is the name of the step before it, the last that did; empty for the first.
    """

    before: str = ""

    def __init__(self, expected: str, found: str, *where: object) -> None:
        self.expected, self.found, self.where = expected, found, [str(place) for place in where if place]
        super().__init__(self.sentence)

    @property
    def sentence(self) -> str:
        """All of it, a line each."""
        return "\n".join([f"expected  {self.expected}", f"found     {self.found}", *_places(self.where)])


class DeniedError(StoryError):
    """A call was denied; the message names role, action, resource and the statement that would allow it."""


class OverdueError(StoryError):
    """What a step waited for did not come in time."""


def _places(where: Sequence[str]) -> list[str]:
    return [f"look at   {place}" for place in where]
