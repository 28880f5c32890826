"""Errors of AWS in the words of the person who ran the command, each with what to do."""

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    UnauthorizedSSOTokenError,
)

from service_catalog.errors import InputError, explain, nearest


def answer(code: str, message: str = "No.", tries: int = 0) -> ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RetryAttempts": tries}}
    return ClientError(response, "CreateProduct")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            answer("AccessDeniedException", "User x may not."),
            "AWS does not allow CreateProduct: User x may not. Ask for",
        ),
        (answer("ThrottlingException", tries=9), "still asks to slow down after 10 tries of CreateProduct"),
        (answer("ExpiredToken"), "The login has ended"),
        (answer("InvalidClientTokenId"), "AWS does not know these credentials"),
        (answer("Odd", "Strange."), r"AWS refused CreateProduct \(Odd\): Strange."),
        (NoCredentialsError(), "aws configure sso"),
        (NoRegionError(), "--region eu-west-1"),
        (ProfileNotFound(profile="x"), "aws configure list-profiles"),
        (UnauthorizedSSOTokenError(), "aws sso login"),
        (EndpointConnectionError(endpoint_url="https://x"), "Check the network and --region"),
    ],
)
def test_each_error_says_what_to_do(error: BotoCoreError | ClientError, words: str) -> None:
    with pytest.raises(Exception, match=words):
        raise explain(error)


def test_what_is_done_stays_done_is_said_where_it_matters() -> None:
    for error in (answer("AccessDenied"), answer("Throttling"), answer("ExpiredToken")):
        assert "what is done stays done: run the same command again" in str(explain(error))


def test_several_problems_are_a_list_and_one_is_a_sentence() -> None:
    assert str(InputError(["a", "b"])) == "2 problems to solve first:\n  - a\n  - b"
    assert str(InputError("a")) == str(InputError(["a"])) == "a"


def test_a_hint_names_the_nearest_or_all() -> None:
    assert nearest("stagin", ["prod", "staging"]) == "; did you mean 'staging'?"
    assert nearest("x", ["prod", "staging"]) == "; there is prod, staging"
    assert nearest("x", []) == ""
