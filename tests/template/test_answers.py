"""Each answer, one at a time: what it changes, what is refused, and that a refusal leaves nothing behind."""

import json
from pathlib import Path

import pytest

from tests.baking import Baker

GOOD_SLUGS = ["a", "9lives", "UPPER-case", "a--b", "x" * 32, "0"]
BAD_SLUGS = {
    "33 characters": "x" * 33,
    "400 characters": "x" * 400,
    "leading dash": "-churn",
    "trailing dash": "churn-",
    "underscore": "customer_churn",
    "space": "customer churn",
    "dot": "churn.v1",
    "accent": "café",
    "emoji": "churn-😀",
    "newline inside": "customer\nchurn",
    "newline at the end": "churn\n",
    "tab": "a\tb",
    "one level up": "../churn",
    "two folders up and down": "../x/y",
    "subfolder": "a/b",
    "backslash": "a\\b",
    "this folder": ".",
    "parent folder": "..",
    "absolute": "/churn",
    "home": "~/churn",
    "empty": "",
    "device on Windows": "NUL",
    "shell": "$(id)",
}
BAD_TAG_VALUES = ['a "quoted" team', "back\\slash", "two\nlines", "", " edge ", "a;b", "x" * 129, "smile 😀", "a'b"]


@pytest.mark.parametrize("slug", GOOD_SLUGS)
def test_a_slug_that_sagemaker_takes(baker: Baker, slug: str) -> None:
    project = baker.bake(project_slug=slug)
    assert project.path.name == slug
    assert project.settings()["project"]["name"] == slug


@pytest.mark.parametrize("slug", BAD_SLUGS.values(), ids=BAD_SLUGS.keys())
def test_a_slug_that_is_refused(baker: Baker, slug: str) -> None:
    surroundings = baker.output.parent
    before = sorted(surroundings.rglob("*"))
    outcome = baker.attempt(project_slug=slug)
    assert outcome.code != 0
    sentence = outcome.text.splitlines()[0]
    assert sentence.startswith("project_slug") and sentence.endswith(".")
    created = set(surroundings.rglob("*")) - set(before)
    assert not {path for path in created if surroundings / "home" not in path.parents}
    assert not Path("/churn").exists()


@pytest.mark.parametrize(
    ("question", "value"), [*(("owner", value) for value in BAD_TAG_VALUES), ("cost_center", "back\\slash")]
)
def test_a_tag_value_that_aws_refuses(baker: Baker, question: str, value: str) -> None:
    outcome = baker.attempt(**{question: value})
    assert outcome.code != 0
    assert outcome.text.startswith(question)
    assert not list(baker.output.iterdir())


@pytest.mark.parametrize(
    ("question", "value"),
    [
        ("owner", "Équipe données"),
        ("owner", "team@example.com"),
        ("owner", "a/b:c=d+e_f-g.h"),
        ("owner", "x" * 128),
        ("cost_center", "4711"),
    ],
)
def test_a_tag_value_that_aws_takes(baker: Baker, question: str, value: str) -> None:
    project = baker.bake(**{question: value})
    assert project.settings()["project"][question] == value
    assert value in project.read("README.md")


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "cn-north-1", "ap-southeast-4", "us-iso-east-1"])
def test_a_region(baker: Baker, region: str) -> None:
    assert baker.bake(aws_region=region).settings()["project"]["region"] == region


@pytest.mark.parametrize("region", ["", "eu-west", "eu west 1", "EU-WEST-1", "Ireland", "eu-west-1\n", "eu-west-1a"])
def test_no_region(baker: Baker, region: str) -> None:
    outcome = baker.attempt(aws_region=region)
    assert outcome.code != 0
    assert outcome.text.startswith("aws_region")
    assert not list(baker.output.iterdir())


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Customer churn", "customer-churn"),
        ("Prévision des départs", "prevision-des-departs"),
        ("  lots   of   space  ", "lots-of-space"),
        ("A very long name that goes on and on and on", "a-very-long-name-that-goes-on-an"),
        ("Exactly thirty one characters i s", "exactly-thirty-one-characters-i"),
        ("3 % more_or/less", "3-more-or-less"),
        ("顧客", "gu-ke"),
        ("!!!", "sagemaker-project"),
    ],
)
def test_the_slug_that_follows_from_a_name(baker: Baker, name: str, slug: str) -> None:
    project = baker.bake(project_name=name)
    assert project.path.name == slug
    assert project.read("README.md").startswith(f"# {name}\n")


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", 'a "b"', "back\\slash", "<script>", "{% raw", "x" * 129])
def test_a_name_that_is_refused(baker: Baker, name: str) -> None:
    outcome = baker.attempt(project_name=name, project_slug="churn")
    assert outcome.code != 0
    assert not list(baker.output.iterdir())


def test_every_bad_answer_is_reported_at_once(baker: Baker) -> None:
    outcome = baker.attempt(project_slug="a_b", owner="a\\b", aws_region="nowhere")
    assert [line.split()[0] for line in outcome.text.splitlines()[:3]] == ["project_slug", "owner", "aws_region"]


def test_an_existing_folder_is_left_alone(baker: Baker) -> None:
    precious = baker.output / "customer-churn" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("mine")
    outcome = baker.attempt()
    assert outcome.code != 0
    assert "already exists" in outcome.text
    assert [path.name for path in precious.parent.iterdir()] == ["precious.txt"]
    assert precious.read_text() == "mine"


def test_at_most_six_questions_each_with_words_of_its_own(template: Path) -> None:
    context = json.loads((template / "cookiecutter.json").read_text(encoding="utf-8"))
    questions = [key for key in context if not key.startswith("_")]
    assert len(questions) <= 6
    assert set(questions) == set(context["__prompts__"])
