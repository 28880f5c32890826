"""The gate bites: every fault of mutations.toml turns it red. The house rules look first, the linters at the rest."""

from pathlib import Path

import pytest

from tests.infrastructure import gate, scanners, subjects
from tests.infrastructure.mutations import MUTATIONS, Mutation

TEMPLATES = subjects.templates()


def test_there_are_enough() -> None:
    assert len(MUTATIONS) >= 160
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS)


@pytest.fixture(scope="module")
def survivors(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The mutations that nothing notices."""
    unnoticed = [mutation for mutation in MUTATIONS if not _house(mutation)]
    folder = tmp_path_factory.mktemp("mutants")
    names = {f"{position}-{mutation.file}": mutation.name for position, mutation in enumerate(unnoticed)}
    for file, mutation in zip(names, unnoticed, strict=True):
        (folder / file).write_text(mutation.apply(TEMPLATES[mutation.file]), encoding="utf-8")
    noticed = {each["file"] for each in _unwaived(folder)} if names else set()
    return {name for file, name in names.items() if file not in noticed}


def _house(mutation: Mutation) -> str | None:
    return next(gate.findings(mutation.file, mutation.apply(TEMPLATES[mutation.file])), None)


def _unwaived(folder: Path) -> list[scanners.Finding]:
    found = [
        {**each, "file": each["file"].partition("-")[2], "mutant": each["file"]}
        for each in scanners.scan("lint", folder)
    ]
    return [{**each, "file": each["mutant"]} for each in scanners.unwaived(found)]


@pytest.mark.parametrize("name", [mutation.name for mutation in MUTATIONS])
def test_the_gate_notices(name: str, survivors: set[str]) -> None:
    assert name not in survivors
