"""The answers to a product's form, checked as CloudFormation would: all problems at once, before anything is made."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service_catalog import rules
from service_catalog.errors import InputError, nearest
from service_catalog.patterns import PROJECT_NAME, PROJECT_NAME_LENGTH

FILLED_IN = ("SageMakerProjectName", "SageMakerProjectId")


@dataclass(frozen=True)
class Question:
    """A parameter of the product."""

    name: str
    default: str | None = None
    description: str = ""
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    hint: str = ""
    length: tuple[str, str] = ("", "")
    range: tuple[str, str] = field(default=("", ""))

    @classmethod
    def from_catalog(cls, item: Mapping[str, Any]) -> "Question":
        """From DescribeProvisioningParameters."""
        limits = item.get("ParameterConstraints") or {}
        return cls(item["ParameterKey"], item.get("DefaultValue"), item.get("Description", ""), **_limits(limits))

    @classmethod
    def from_template(cls, name: str, declaration: Mapping[str, Any]) -> "Question":
        """From a template's Parameters."""
        default = declaration.get("Default")
        text = None if default is None else str(default)
        return cls(name, text, declaration.get("Description", ""), **_limits(declaration))

    def problem(self, value: str) -> str | None:
        """Why CloudFormation would refuse this value."""
        where = f"{self.name}={value!r}"
        if self.allowed and value not in self.allowed:
            return f"{where}: must be one of {', '.join(self.allowed)}{nearest(value, self.allowed).partition(';')[0]}"
        if self.pattern and not re.fullmatch(self.pattern, value):
            return f"{where}: must be {self.hint or self.pattern}"
        if not _within(self.length, len(value)):
            return f"{where}: has {len(value)} characters, and must have {_words(self.length)}"
        if any(self.range) and not (_is_number(value) and _within(self.range, float(value))):
            return f"{where}: must be a number, {_words(self.range)}"
        return None


def _limits(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "allowed": tuple(str(value) for value in found.get("AllowedValues") or []),
        "pattern": found.get("AllowedPattern") or "",
        "hint": found.get("ConstraintDescription") or "",
        "length": (str(found.get("MinLength") or ""), str(found.get("MaxLength") or "")),
        "range": (str(found.get("MinValue") or ""), str(found.get("MaxValue") or "")),
    }


def _within(limits: tuple[str, str], value: float) -> bool:
    low, high = limits
    return (not low or value >= float(low)) and (not high or value <= float(high))


def _words(limits: tuple[str, str]) -> str:
    low, high = limits
    return " and ".join(([f"at least {low}"] if low else []) + ([f"at most {high}"] if high else []))


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d+)?", text))


@dataclass(frozen=True)
class Form:
    """The questions, the rules that say which answers go together, and what AWS fills in (AWS::Partition …)."""

    questions: Sequence[Question]
    rules: Mapping[str, Any] = field(default_factory=dict)
    pseudo: Mapping[str, str] = field(default_factory=dict)


def check(form: Form, answers: Mapping[str, str]) -> None:
    """Raises InputError that lists every unknown name, every value that would be refused and every missing one.

    Only answers that are good one by one are looked at together: a typo would break rules that its correction keeps.
    """
    known = {question.name: question for question in form.questions if question.name not in FILLED_IN}
    problems = [*_problems(known, answers), *_foreign(answers, form.pseudo.get("AWS::Partition", ""))]
    defaults = {question.name: question.default for question in known.values() if question.default is not None}
    if problems := problems or list(rules.broken(form.rules, {**form.pseudo, **defaults, **answers})):
        raise InputError(problems)


def _foreign(answers: Mapping[str, str], partition: str) -> Iterator[str]:
    """ARNs of another partition: patterns take any, and what they name cannot be reached from here."""
    for name, value in answers.items():
        if partition and value.startswith("arn:") and (found := value.split(":")[1]) != partition:
            yield f"{name}={value!r}: is of partition {found!r}, and this account is of {partition!r}: arn:{partition}:"


def _problems(known: Mapping[str, Question], answers: Mapping[str, str]) -> Iterator[str]:
    for name, value in answers.items():
        if name not in known:
            yield f"{name}: the product asks no such question{nearest(name, known)}"
        elif problem := known[name].problem(value):
            yield problem
    for name, question in known.items():
        if name not in answers and question.default is None:
            yield f"{name}: is missing ({question.description}); give --parameter {name}=VALUE"


def check_name(name: str) -> None:
    """Raises InputError for a name that SageMaker would refuse for a project; it may begin with a digit."""
    if len(name) > PROJECT_NAME_LENGTH:
        raise InputError(f"{name!r} has {len(name)} characters: a project's name has at most {PROJECT_NAME_LENGTH}.")
    if not re.fullmatch(PROJECT_NAME, name):
        raise InputError(
            f"{name!r} is no name for a project: letters a-z, digits and dashes, a letter or digit at both ends."
        )


def parse(given: Sequence[str], option: str) -> dict[str, str]:
    """KEY=VALUE words as a mapping. Raises InputError for one without "=", or the same key twice."""
    pairs = [word.partition("=") for word in given]
    problems = [
        f"{option} {word}: must be KEY=VALUE" for word, (_, sign, _) in zip(given, pairs, strict=True) if not sign
    ]
    keys = [key for key, _, _ in pairs]
    problems += [f"{option} {key}: is given twice" for key in sorted({key for key in keys if keys.count(key) > 1})]
    if problems:
        raise InputError(problems)
    return {key: value for key, _, value in pairs}
