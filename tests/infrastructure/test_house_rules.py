"""Every template keeps every house rule, in every scenario, and refuses what it must."""

import pytest

from tests.infrastructure import catalog, gate, subjects
from tests.infrastructure.refusals import REFUSALS, Refusal, problems

TEMPLATES = subjects.templates()


def test_every_template_of_the_catalogue_has_scenarios() -> None:
    assert catalog.templates().keys() == catalog.SUBJECTS.keys()


@pytest.mark.parametrize("file", TEMPLATES)
def test_a_template_keeps_the_house_rules(file: str) -> None:
    assert list(gate.findings(file, TEMPLATES[file])) == []


@pytest.mark.parametrize("refusal", REFUSALS, ids=[refusal.name for refusal in REFUSALS])
def test_bad_values_are_refused_with_a_sentence_about_them(refusal: Refusal) -> None:
    assert any(refusal.key in problem for problem in problems(refusal, TEMPLATES[refusal.file]))
