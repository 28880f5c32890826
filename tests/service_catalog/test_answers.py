"""The product's form: everything that AWS would refuse is said at once, before anything is made."""

import pytest

from service_catalog import answers
from service_catalog.answers import Question
from service_catalog.errors import InputError
from service_catalog.release import FOLDER
from service_catalog.template import Template

QUESTIONS = [
    Question("SageMakerProjectName"),
    Question("SageMakerProjectId"),
    Question("Owner", None, "Whom to ask"),
    Question("Size", "small", "", ("small", "medium")),
    Question("Mail", "", "", (), r"([^@\s]+@[^@\s]+)?", "nothing, or an e-mail address"),
    Question("Days", "3", "", range=("1", "30")),
    Question("Note", "", "", length=("", "5")),
]


@pytest.mark.parametrize("name", ["a", "9lives", "UPPER-case", "a--b", "x" * 32, "p-1"])
def test_names_that_sagemaker_takes(name: str) -> None:
    answers.check_name(name)


@pytest.mark.parametrize("name", ["", "-a", "a-", "a_b", "a b", "ü", "a.b", "a\n"])
def test_names_that_sagemaker_refuses(name: str) -> None:
    with pytest.raises(InputError, match="is no name for a project"):
        answers.check_name(name)


def test_a_name_of_33_characters_is_refused_with_the_limit() -> None:
    with pytest.raises(InputError, match="has 33 characters: a project's name has at most 32"):
        answers.check_name("x" * 33)


def test_good_answers_pass() -> None:
    answers.check(
        QUESTIONS, {"Owner": "me", "Size": "medium", "Mail": "team@example.com", "Days": "30", "Note": "12345"}
    )


def test_every_problem_is_said_at_once() -> None:
    given = {"Ownr": "me", "Size": "large", "Mail": "nobody", "Days": "31", "Note": "123456", "SageMakerProjectId": "p"}
    with pytest.raises(InputError) as caught:
        answers.check(QUESTIONS, given)
    assert caught.value.problems == [
        "Ownr: the product asks no such question; did you mean 'Owner'?",
        "Size='large': must be one of small, medium",
        "Mail='nobody': must be nothing, or an e-mail address",
        "Days='31': must be a number, at least 1 and at most 30",
        "Note='123456': has 6 characters, and must have at most 5",
        "SageMakerProjectId: the product asks no such question; there is Days, Mail, Note, Owner, Size",
        "Owner: is missing (Whom to ask); give --parameter Owner=VALUE",
    ]


def test_a_number_must_be_one() -> None:
    assert QUESTIONS[5].problem("many") == "Days='many': must be a number, at least 1 and at most 30"


def test_answers_may_contain_the_equals_sign() -> None:
    assert answers.parse(["A=b=c", "D="], "--parameter") == {"A": "b=c", "D": ""}


def test_words_that_are_no_answers_are_refused() -> None:
    with pytest.raises(InputError) as caught:
        answers.parse(["A", "B=1", "B=2"], "--parameter")
    assert caught.value.problems == ["--parameter A: must be KEY=VALUE", "--parameter B: is given twice"]


def test_our_product_can_be_launched_without_an_answer() -> None:
    product = Template("product.yaml", (FOLDER / "product.yaml").read_text(encoding="utf-8"))
    answers.check([Question.from_template(name, declared) for name, declared in product.parameters.items()], {})


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:codeconnections:eu-west-1:111111111111:connection/0a",
        "arn:aws-cn:codestar-connections:cn-north-1:111111111111:connection/0a",
    ],
)
def test_a_connection_of_any_partition_is_taken(arn: str) -> None:
    product = Template("product.yaml", (FOLDER / "product.yaml").read_text(encoding="utf-8"))
    question = Question.from_template("ConnectionArn", product.parameters["ConnectionArn"])
    assert question.problem(arn) is None
    assert "must be nothing, or the ARN of a connection" in (
        question.problem(arn.replace(":111111111111:", "::")) or ""
    )
