"""Every template of this repository: the stages' (model_deploy) and the catalogue's (service_catalog)."""

from collections.abc import Iterator, Mapping

from tests.infrastructure import catalog, stages
from tests.infrastructure.cloudformation import Stack


def templates() -> dict[str, str]:
    """File name → text. A catalogue's template without scenarios is missing here: test_house_rules says so."""
    known = {file: text for file, text in catalog.templates().items() if file in catalog.SUBJECTS}
    return stages.templates() | known


def stack(file: str, text: str, overrides: Mapping[str, str] | None = None) -> Stack:
    """A template as production, or the first scenario of a catalogue's template, gets it."""
    if file in catalog.SUBJECTS:
        return catalog.stack(file, text, overrides)
    return stages.stack(text, "prod", overrides)


def stacks(file: str, text: str) -> Iterator[tuple[str, Stack]]:
    """A template in every scenario."""
    return catalog.stacks(file, text) if file in catalog.SUBJECTS else stages.stacks(text)


def samples(file: str, text: str) -> Iterator[tuple[str, Stack]]:
    """What the scanners look at: each stage as configured, or every scenario of a catalogue's template."""
    if file in catalog.SUBJECTS:
        yield from catalog.stacks(file, text)
    else:
        yield from ((stage, stages.stack(text, stage)) for stage in stages.STAGES)
