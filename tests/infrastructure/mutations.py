"""Single faults that somebody could type into a template; mutations.toml lists them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutation:
    """In `file`, the first `old` becomes `new`."""

    name: str
    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The faulty template."""
        assert self.old in text, f"{self.name}: {self.file} no longer has {self.old!r}"
        return text.replace(self.old, self.new, 1)


MUTATIONS = [
    Mutation(**each)
    for each in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["mutation"]
]
