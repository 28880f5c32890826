"""The gate over one template: as it is written, as every scenario gets it, and what it must refuse."""

from collections.abc import Callable, Iterator

from tests.infrastructure import catalog, events, refusals, subjects
from tests.infrastructure.cloudformation import Stack, Unresolvable
from tests.infrastructure.house import (
    endpoint,
    identity,
    operations,
    pipelines,
    project,
    reference,
    senders,
    support,
    text,
)

RULES: tuple[Callable[[Stack], Iterator[str]], ...] = (
    *identity.RULES,
    *endpoint.RULES,
    *operations.RULES,
    *project.RULES,
    *pipelines.RULES,
    *senders.RULES,
    *reference.RULES,
    *support.RULES,
)


def findings(file: str, template: str) -> Iterator[str]:
    """Every finding, with the rule it breaks; the same one may come from several scenarios."""
    for rule in text.RULES:
        yield from (f"{rule.__name__}: {finding}" for finding in rule(template))
    if file not in catalog.SUBJECTS:  # what is joined is read in its parts: test_parts
        yield from (f"it_is_short_enough: {finding}" for finding in text.it_is_short_enough(template))
    try:
        yield from _resolved(file, template)
        yield from events.findings(file, template)
        yield from refusals.accepted(file, template)
    except (Unresolvable, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        yield f"does not resolve: {error!r}"


def _resolved(file: str, template: str) -> Iterator[str]:
    for scenario, stack in subjects.stacks(file, template):
        yield from (f"refused ({scenario}): {problem}" for problem in stack.problems())
        yield from (f"{rule.__name__} ({scenario}): {finding}" for rule in RULES for finding in rule(stack))
        yield from (f"the output {name} is not text" for name, each in stack.outputs.items() if not _is_text(each))


def _is_text(output: dict[str, object]) -> bool:
    return isinstance(output["Value"], str)
