"""The product's form: everything that AWS would refuse is said at once, before anything is made."""

import shlex
from itertools import pairwise

import pytest

from scripts.bake import ROOT
from service_catalog import answers, joiner
from service_catalog.answers import Form, Question
from service_catalog.errors import InputError

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
        Form(QUESTIONS), {"Owner": "me", "Size": "medium", "Mail": "team@example.com", "Days": "30", "Note": "12345"}
    )


def test_every_problem_is_said_at_once() -> None:
    given = {"Ownr": "me", "Size": "large", "Mail": "nobody", "Days": "31", "Note": "123456", "SageMakerProjectId": "p"}
    with pytest.raises(InputError) as caught:
        answers.check(Form(QUESTIONS), given)
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


def our_form() -> Form:
    """The product's form as it is after publish."""
    product = joiner.template("product.yaml").stamped({"seed bucket": "b", "seed key": "seeds/k.zip"})
    questions = [Question.from_template(name, declared) for name, declared in product.parameters.items()]
    return Form(questions, product.document["Rules"], {"AWS::Partition": "aws", "AWS::AccountId": "111111111111"})


def test_our_product_can_be_launched_without_an_answer() -> None:
    answers.check(our_form(), {})


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:codeconnections:eu-west-1:111111111111:connection/0a",
        "arn:aws-cn:codestar-connections:cn-north-1:111111111111:connection/0a",
    ],
)
def test_a_connection_of_any_partition_is_taken(arn: str) -> None:
    product = joiner.template("product.yaml")
    question = Question.from_template("ConnectionArn", product.parameters["ConnectionArn"])
    assert question.problem(arn) is None
    assert "must be nothing, or the ARN of a connection" in (
        question.problem(arn.replace(":111111111111:", "::")) or ""
    )


CONNECTION = "arn:aws:codeconnections:eu-west-1:111111111111:connection/0a"


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        ({"VpcId": "vpc-01234567"}, ["VpcId, SubnetIds and SecurityGroupIds must be given together"]),
        (
            {"RepositoryProvider": "Connection"},
            [
                "ConnectionArn must name a connection when RepositoryProvider is Connection",
                "RepositoryId must be owner/repository when RepositoryProvider is Connection",
            ],
        ),
        ({"ConnectionArn": CONNECTION}, ["ConnectionArn must be empty when RepositoryProvider is CodeCommit"]),
        ({"StagingAccountId": "222222222222"}, ["ProdAccountId must be given when StagingAccountId is"]),
        (
            {"StagingAccountId": "222222222222", "ProdAccountId": "222222222222"},
            ["ProdAccountId must be another account than StagingAccountId; for one account leave both empty"],
        ),
        ({"CodeArtifactDomain": "ours"}, ["CodeArtifactDomain and CodeArtifactRepository must be given together"]),
    ],
)
def test_answers_that_do_not_go_together_are_refused_in_the_words_of_the_template(
    given: dict[str, str], problems: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        answers.check(our_form(), given)
    assert caught.value.problems == problems


@pytest.mark.parametrize(
    "given",
    [
        {"VpcId": "vpc-01234567", "SubnetIds": "subnet-01234567", "SecurityGroupIds": "sg-01234567"},
        {"RepositoryProvider": "Connection", "ConnectionArn": CONNECTION, "RepositoryId": "owner/repository"},
        {"StagingAccountId": "222222222222", "ProdAccountId": "333333333333"},
    ],
)
def test_answers_that_go_together_pass(given: dict[str, str]) -> None:
    answers.check(our_form(), given)


def test_the_examples_of_the_operating_guide_are_answers_that_work() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    examples = [line for line in guide.splitlines() if line.startswith("make create ") and "--parameter" in line]
    for line in examples:
        words = shlex.split(line.partition('ARGS="')[2].rstrip('"'))
        given = [value for option, value in pairwise(words) if option == "--parameter"]
        answers.check(our_form(), answers.parse(given, "--parameter"))
    assert len(examples) == 3


def test_an_arn_of_another_partition_is_refused_with_what_is_right() -> None:
    given = {"RepositoryProvider": "Connection", "RepositoryId": "a/b"}
    given["ConnectionArn"] = CONNECTION.replace("arn:aws:", "arn:aws-cn:")
    with pytest.raises(InputError, match=r"ConnectionArn=.*is of partition 'aws-cn', and this account is of 'aws'"):
        answers.check(our_form(), given)
