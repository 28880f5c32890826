"""python -m scripts.figures: what a team owns, and how many files each recipe of its README touches. CI prints it.

Counted in the template folder, as git has it: a bake has the same files. Locks, data, the kit's wheel and the golden
definition, which a machine writes, count apart.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from scripts import recipes
from scripts.bake import ROOT, tracked_files

PROJECT = ROOT / "{{cookiecutter.project_slug}}"
MOST_FILES, MOST_LINES, MOST_TOUCHED = 50, 5_500, 2
_APART = ("vendor/", "data/", "requirements.lock", "tests/golden/")


@dataclass(frozen=True)
class Owned:
    """The files of a project that its team reads and changes, and their lines."""

    files: int
    lines: int
    apart: int

    @property
    def is_met(self) -> bool:
        """Whether it can be read in an hour."""
        return self.files <= MOST_FILES and self.lines <= MOST_LINES


def owned(project: Path = PROJECT) -> Owned:
    """Count."""
    names = [path.as_posix() for path in tracked_files(project)]
    read = [name for name in names if not name.startswith(_APART)]
    lines = sum(len((project / name).read_text(encoding="utf-8").splitlines()) for name in read)
    return Owned(len(read), lines, len(names) - len(read))


def touched(project: Path = PROJECT) -> dict[str, list[str]]:
    """The files that each recipe makes or changes, beside tests and locks."""
    return {recipe.title: recipe.files for recipe in recipes.read((project / "README.md").read_text(encoding="utf-8"))}


def main() -> int:
    """Print them, each beside its limit; 1 if one is not met."""
    count = owned()
    print(f"A team owns {count.files} files (at most {MOST_FILES}) and {count.lines:,} lines (at most {MOST_LINES:,}),")
    print(f"beside {count.apart} files of locks, data, the kit and the golden definition.")
    for title, files in touched().items():
        print(f"{title}: {len(files)} of at most {MOST_TOUCHED} files: {', '.join(files)}")
    return 0 if count.is_met and all(len(files) <= MOST_TOUCHED for files in touched().values()) else 1


if __name__ == "__main__":
    sys.exit(main())
