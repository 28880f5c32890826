"""The recipes of a project's README as a machine reads them: which file each block makes or changes, and how.

A block says its file behind its language: ```python path (all of it, new or in the place of the old) or ```diff path
(lines to take away and to add; hunks with @@ between them). A block of sh without a file is typed.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_HEADING = re.compile(r"^### (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class RecipeError(Exception):
    """A recipe does not fit the project; the message says which file and what was looked for."""


@dataclass(frozen=True)
class Block:
    """One block of code; `path` is empty for what is typed."""

    language: str
    path: str
    text: str

    def apply(self, project: Path) -> None:
        """Make or change the file. Raises RecipeError."""
        file = project / self.path
        if self.language != "diff":
            file.write_text(self.text, encoding="utf-8")
            return
        content = file.read_text(encoding="utf-8")
        for hunk in self.text.split("@@\n"):
            old, new = _side(hunk, "-"), _side(hunk, "+")
            if f"\n{content}".count(f"\n{old}") != 1:
                raise RecipeError(f"{self.path} does not hold these lines exactly once:\n{old}")
            content = f"\n{content}".replace(f"\n{old}", f"\n{new}").removeprefix("\n")
        file.write_text(content, encoding="utf-8")


def _side(hunk: str, sign: str) -> str:
    """The lines of a hunk before (-) or after (+) the change."""
    return "".join(line[1:] for line in hunk.splitlines(keepends=True) if line[0] in (sign, " "))


@dataclass(frozen=True)
class Recipe:
    """What stands below one heading."""

    title: str
    blocks: tuple[Block, ...]

    @property
    def files(self) -> list[str]:
        """The files that it touches, beside tests and locks."""
        paths = dict.fromkeys(block.path for block in self.blocks if block.path)
        return [path for path in paths if not path.startswith("tests/") and not path.endswith(".lock")]

    @property
    def typed(self) -> list[str]:
        """The commands in it."""
        return [line for block in self.blocks if not block.path for line in block.text.splitlines() if line]

    def apply(self, project: Path) -> None:
        """Make and change its files. Raises RecipeError."""
        for block in self.blocks:
            if block.path:
                block.apply(project)


def read(readme: str) -> list[Recipe]:
    """The recipes below the heading "Recipes"."""
    section = readme.split("\n## Recipes\n")[1].split("\n## ")[0]
    _, *parts = _HEADING.split(section)
    return [
        Recipe(title, tuple(Block(*found.groups(default="")) for found in _BLOCK.finditer(text)))
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    ]
