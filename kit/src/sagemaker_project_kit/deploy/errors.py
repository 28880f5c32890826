"""Every error a person can meet, in one tree. Each says what is wrong, where, and what is allowed.

DeployError             shown without a traceback; exit code 1
├── SettingsError       the environment or project.toml
├── ConfigError         config/<stage>.json does not fit the templates
├── TemplateError       a CloudFormation template cannot be read
├── RegistryError       the model package cannot be released
├── EndpointError       the endpoint cannot be updated now, or does not run what was released
├── StoreError          an object that must be in S3 is not there
├── VerifyError         a stage did not pass its tests
└── RollbackError       there is nothing to go back to
"""

import difflib
from collections.abc import Iterable, Sequence


class DeployError(Exception):
    """Something that a person can put right."""


class ProblemsError(DeployError):
    """One or more problems, found in one go."""

    subject = "problem"

    def __init__(self, problems: Sequence[str]) -> None:
        if len(problems) == 1:
            super().__init__(problems[0])
        else:
            lines = "\n".join(f"  - {problem}" for problem in problems)
            super().__init__(f"{len(problems)} {self.subject}s to solve before anything is touched:\n{lines}")
        self.problems = list(problems)


class SettingsError(ProblemsError):
    """The environment or project.toml."""


class ConfigError(ProblemsError):
    """config/<stage>.json asks for what the templates or AWS refuse."""


class TemplateError(DeployError):
    """A CloudFormation template cannot be read."""


class RegistryError(DeployError):
    """The model package is missing, of another group, not approved or not complete."""


class EndpointError(DeployError):
    """The endpoint is being changed by somebody else, or does not run what was released."""


class StoreError(DeployError):
    """An object that must be in S3 is not there."""


class VerifyError(DeployError):
    """A stage did not pass its tests."""


class RollbackError(DeployError):
    """There is no good release to go back to."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that is most like `word`, or at all of them."""
    allowed = sorted(known)
    if match := difflib.get_close_matches(word, allowed, n=1, cutoff=0.6):
        return f"; did you mean {match[0]!r}?"
    return f"; allowed: {', '.join(allowed)}" if allowed and len(allowed) <= 12 else ""
