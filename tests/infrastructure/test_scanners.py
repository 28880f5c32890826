"""cfn-lint, cloudformation-validate and checkov find nothing that is not waived with a reason."""

import json
from pathlib import Path

import pytest

from tests.infrastructure import regions, scanners, subjects
from tests.infrastructure.scanners import Finding


@pytest.fixture(scope="module")
def lint(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What the two linters say about the templates as they are written, and about the product of a poorer region."""
    folder = tmp_path_factory.mktemp("templates")
    for name, text in {**subjects.templates(), **regions.templates()}.items():
        (folder / name).write_text(text, encoding="utf-8")
    found = scanners.scan("lint", folder)
    return [{**one, "file": one["file"].replace("-lacking", "")} for one in found]


@pytest.fixture(scope="module")
def checkov(tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What checkov says about what a stack gets: it knows neither Fn::ForEach nor which branch of Fn::If is taken."""
    folder = tmp_path_factory.mktemp("resolved")
    for name, text in subjects.templates().items():
        for scenario, stack in subjects.samples(name, text):
            resolved = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": stack.resources}
            file = folder / scenario / Path(name).with_suffix(".json")
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(resolved, indent=1), encoding="utf-8")
    return scanners.scan("checkov", folder)


def test_the_linters_find_nothing(lint: list[Finding]) -> None:
    assert scanners.unwaived(lint) == []


def test_checkov_finds_nothing(checkov: list[Finding]) -> None:
    assert scanners.unwaived(checkov) == []


def test_every_waiver_still_has_something_to_waive(lint: list[Finding], checkov: list[Finding]) -> None:
    idle = [waiver for waiver in scanners.waivers() if not any(map(waiver.matches, [*lint, *checkov]))]
    assert idle == []


def test_every_waiver_has_a_reason() -> None:
    assert all(len(waiver.reason.split()) >= 8 for waiver in scanners.waivers())


def test_no_template_switches_a_scanner_off() -> None:
    switches = ("checkov:skip", "cfn-lint:", "cfn_nag:", "guard:", "SuppressedRules", "nosec")
    assert [(name, each) for name, text in subjects.templates().items() for each in switches if each in text] == []
