"""Variables of pipelines and actions: #{variables.NAME}, #{codepipeline.PipelineExecutionId}, #{Namespace.NAME}.

"Variables reference", CodePipeline user guide. A reference to what does not exist fails the action.
"""

import re
from collections.abc import Mapping

from rehearsal.emulator.codepipeline.declaration import Rule

_REFERENCE = re.compile(r"#\{([^}]+)\}")
Namespaces = Mapping[str, Mapping[str, str]]


class UnresolvedError(Exception):
    """A reference to a variable that no action has given."""


def resolve(text: str, namespaces: Namespaces) -> str:
    """The text with every reference replaced. Raises UnresolvedError."""

    def value(match: re.Match[str]) -> str:
        namespace, _, name = match[1].strip().partition(".")
        found = namespaces.get(namespace, {}).get(name)
        if found is None:
            raise UnresolvedError(f"the variable {match[0]} is not set")
        return found

    return _REFERENCE.sub(value, text)


def resolve_all(configuration: Mapping[str, str], namespaces: Namespaces) -> dict[str, str]:
    """A configuration with every reference replaced. Raises UnresolvedError."""
    return {name: resolve(value, namespaces) for name, value in configuration.items()}


def holds(rule: Rule, namespaces: Namespaces) -> tuple[bool, str]:
    """Whether a VariableCheck holds, and how that reads ("VariableCheck", rule reference)."""
    try:
        found, wanted = resolve(rule.variable, namespaces), resolve(rule.value, namespaces)
    except UnresolvedError as error:
        return False, str(error)
    outcome = {
        "EQ": found == wanted,
        "NE": found != wanted,
        "CONTAINS": wanted in found,
        "MATCHES": re.fullmatch(wanted, found) is not None,
    }[rule.operator]
    return (
        outcome,
        f"{rule.variable} is {found!r}: {rule.operator} {wanted!r} {'holds' if outcome else 'does not hold'}",
    )
