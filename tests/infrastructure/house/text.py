"""House rules on the template as it is written: its sections, its parameters, its literals."""

import re
from collections.abc import Iterator
from typing import Any

from tests.infrastructure.cloudformation import load

SECTIONS = (
    "AWSTemplateFormatVersion",
    "Transform",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Rules",
    "Conditions",
    "Resources",
    "Outputs",
)
WIDTH = 120
LINES = 450


def sections_are_in_order(text: str) -> Iterator[str]:
    """One order everywhere."""
    found = list(load(text))
    if found != sorted(found, key=lambda name: SECTIONS.index(name) if name in SECTIONS else -1):
        yield f"the sections are {found}"
    for required in ("Description", "Metadata", "Parameters", "Resources", "Outputs"):
        if required not in found:
            yield f"the section {required} is missing"


def it_is_short_enough(text: str) -> Iterator[str]:
    """To be read: a template that is one file, or a part of one that is joined."""
    count = len(text.splitlines())
    if count > LINES:
        yield f"{count} lines, at most {LINES}"


def lines_are_short(text: str) -> Iterator[str]:
    """As in every other file."""
    yield from (
        f"line {number} has {len(line)} characters"
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > WIDTH
    )


def no_literals_of_an_account(text: str) -> Iterator[str]:
    """No partition, account or region is written down."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\barn:aws[a-z-]*:", line):
            yield f"line {number}: write arn:${{AWS::Partition}}:"
        if re.search(r"(?<!\d)\d{12}(?!\d)", line):
            yield f"line {number}: names an account"
        if re.search(r"\b(us|eu|ap|sa|ca|me|af|il|cn|mx)(-gov)?-(north|south|east|west|central)[a-z]*-\d\b", line):
            yield f"line {number}: names a region"


def parameters_explain_themselves(text: str) -> Iterator[str]:
    """Described, constrained, and in exactly one group of the form."""
    document = load(text)
    groups = document["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    placed = [name for group in groups for name in group["Parameters"]]
    for name, parameter in document["Parameters"].items():
        if placed.count(name) != 1:
            yield f"{name} is in {placed.count(name)} groups"
        if not parameter.get("Description"):
            yield f"{name} has no Description"
        if not _is_constrained(parameter):
            yield f"{name} needs AllowedValues, or a pattern or range with a ConstraintDescription"
    yield from (
        f"the form names {name}, which is no parameter" for name in placed if name not in document["Parameters"]
    )
    if placed != [name for name in document["Parameters"] if name in placed]:
        yield "the parameters are not in the order of the form"


def studio_asks_for_no_more_than_it_must(text: str) -> Iterator[str]:
    """Studio demands a value unless told otherwise, and shows a label where there is one."""
    document = load(text)
    optional = document["Metadata"].get("SagemakerTemplateParameterRules")
    if optional is None:
        return
    labels = document["Metadata"]["AWS::CloudFormation::Interface"].get("ParameterLabels", {})
    for name, parameter in document["Parameters"].items():
        if (optional.get(name) == {"Optional": True}) is not ("Default" in parameter):
            yield f"{name} must {'' if 'Default' in parameter else 'not '}be optional in Studio"
        if "Default" in parameter and not labels.get(name, {}).get("default"):
            yield f"{name} has no label"
    yield from (f"{name} is no parameter" for name in (optional | labels).keys() - document["Parameters"].keys())


def _is_constrained(parameter: dict[str, Any]) -> bool:
    ranged = {"MinValue", "MaxValue"} <= parameter.keys() or "AllowedPattern" in parameter
    return "AllowedValues" in parameter or (ranged and bool(parameter.get("ConstraintDescription")))


def outputs_are_described(text: str) -> Iterator[str]:
    """And the template says its version."""
    outputs = load(text).get("Outputs", {})
    yield from (
        f"the output {name} has no Description" for name, output in outputs.items() if not output.get("Description")
    )
    if "TemplateVersion" not in outputs:
        yield "the output TemplateVersion is missing"


def rules_say_what_is_wrong(text: str) -> Iterator[str]:
    """Every assertion has a sentence that names a parameter."""
    document = load(text)
    for name, rule in document.get("Rules", {}).items():
        for each in rule["Assertions"]:
            if not any(parameter in each.get("AssertDescription", "") for parameter in document["Parameters"]):
                yield f"the rule {name} does not name a parameter"


RULES = (
    sections_are_in_order,
    lines_are_short,
    no_literals_of_an_account,
    parameters_explain_themselves,
    studio_asks_for_no_more_than_it_must,
    outputs_are_described,
    rules_say_what_is_wrong,
)
