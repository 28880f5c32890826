"""Plans on terminals of any width: nothing that people copy is ever broken."""

import io

import pytest
from rich.console import Console

from service_catalog import layout, plan
from service_catalog.layout import Row
from service_catalog.plan import Change

LONG = "sagemaker-projects-222222222222-eu-central-1/templates/0123456789abcdef/product.yaml"
CHANGES = [
    Change("create", "template", LONG, "version 1.0", print, "111111111111 eu-west-1"),
    Change("note", "stack", "sagemaker-projects-prod", "an administrator makes it", None, "333333333333"),
    Change("keep", "launch role", "sagemaker-projects-launch", "every project is made under it, whoever asks for it"),
]


def shown(width: int) -> str:
    text = io.StringIO()
    plan.show(CHANGES, Console(file=text, width=width, highlight=False))
    return text.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 160, 240])
def test_no_word_is_broken_and_nothing_is_lost_at_any_width(width: int) -> None:
    words = [word for change in CHANGES for text in (change.name, change.detail, change.place) for word in text.split()]
    assert set(words) <= {word.rstrip(":") for word in shown(width).split()}


def test_a_narrow_terminal_gets_a_list() -> None:
    assert shown(60).splitlines()[:4] == [
        f"+  template  {LONG}",
        "    111111111111 eu-west-1: version 1.0",
        "!  stack  sagemaker-projects-prod",
        "    333333333333: an administrator makes it",
    ]


def test_a_line_begins_alike_in_both_forms() -> None:
    assert all(f"!  {CHANGES[1].kind}" in shown(width) for width in (60, 240))


def test_a_wide_one_gets_a_table_with_headings() -> None:
    assert shown(240).splitlines()[0].split() == ["what", "name", "where", "why"]
    assert "what" not in shown(60)


def test_sentences_stand_below_each_other() -> None:
    text = io.StringIO()
    layout.hang("one two three four five six seven eight", Console(file=text, width=40), 8, head="head")
    assert text.getvalue().splitlines() == ["head    one two three four five six", "        seven eight"]


def test_a_table_folds_its_sentences_between_words() -> None:
    text = io.StringIO()
    rows = [Row("+", "green", ("kind", "name"), "a sentence of so many words that it takes a second line")]
    layout.show(("", "what", "name", "why"), rows, Console(file=text, width=50))
    assert [line.rstrip() for line in text.getvalue().splitlines()] == [
        "   what  name  why",
        "+  kind  name  a sentence of so many words that it",
        "               takes a second line",
    ]


@pytest.mark.parametrize(("most", "expected"), [(2, "a, b and 1 more"), (3, "a, b, c")])
def test_long_lists_are_counted(most: int, expected: str) -> None:
    assert layout.listed(["a", "b", "c"], most) == expected
