"""Clients that take exactly the calls they were told of, each parameter and answer checked by botocore."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.stub import Stubber

REGION, TOOLING, STAGING, PROD = "eu-west-1", "111111111111", "222222222222", "333333333333"
KEYS = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
Call = tuple[str, dict[str, Any] | None, Any]


@contextmanager
def stubbed(service: str, *calls: Call) -> Iterator[Any]:
    """A client for these calls in this order: (operation, parameters or None for any, answer).

    An answer of three values is an error: code, message, HTTP status. Any other call fails, and so does one left over.
    """
    client = boto3.client(service, region_name=REGION, **KEYS)
    with Stubber(client) as stub:
        for operation, parameters, answer in calls:
            if isinstance(answer, tuple):
                code, message, status = answer
                stub.add_client_error(operation, code, message, status, expected_params=parameters)
            else:
                stub.add_response(operation, answer, parameters)
        yield client
        stub.assert_no_pending_responses()


class Told:
    """Takes news and keeps them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, text: str) -> None:
        self.lines.append(text)

    def __contains__(self, words: str) -> bool:
        return any(words in line for line in self.lines)
