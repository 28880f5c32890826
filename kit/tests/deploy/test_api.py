"""verify and the API of a stage: found by its stack, asked with a signature, failed if it answers otherwise."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from kit.tests.deploy.conftest import EXPECTED, REGION, Register, stubbed
from kit.tests.deploy.server import Behaviour, serving
from kit.tests.deploy.test_verify import BUDGET
from sagemaker_project_kit.deploy import api, aws, contract
from sagemaker_project_kit.deploy.api import IAM, Api, ApiTarget
from sagemaker_project_kit.deploy.report import Result
from sagemaker_project_kit.deploy.store import FolderStore
from sagemaker_project_kit.deploy.target import ServerTarget, Target
from sagemaker_project_kit.deploy.verify import Site, Verification

STACK = "sagemaker-churn-p-1-staging-api"
HOST = f"a1b2c3d4.execute-api.{REGION}.amazonaws.com"
FOUND = Api(f"https://{HOST}/staging/predictions", IAM)
PREDICTIONS = json.dumps({"predictions": EXPECTED})
TOKENS = replace(FOUND, authorization="COGNITO_USER_POOLS")


def session() -> Any:
    return boto3.Session(aws_access_key_id="AKIA", aws_secret_access_key="secret", region_name=REGION)


@contextmanager
def gateway(status: int, text: str, asked: list[BaseHTTPRequestHandler] | None = None) -> Iterator[str]:
    """A server that answers every request with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if asked is not None:
                asked.append(self)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# --- finding it ------------------------------------------------------------------------------------------------------


def test_it_is_found_by_the_outputs_of_its_stack() -> None:
    stack = {
        "StackName": STACK,
        "CreationTime": datetime.now(UTC),
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": "PredictionsUrl", "OutputValue": FOUND.url}],
        "Parameters": [{"ParameterKey": "ApiAuthorization", "ParameterValue": IAM}],
    }
    with stubbed("cloudformation", ("describe_stacks", {"StackName": STACK}, {"Stacks": [stack]})) as client:
        assert api.find(client, STACK) == FOUND


def test_a_stage_may_have_none() -> None:
    gone = ("ValidationError", f"Stack with id {STACK} does not exist", 400)
    with stubbed("cloudformation", ("describe_stacks", None, gone)) as client:
        assert api.find(client, STACK) is None


def test_a_role_that_may_not_look_is_not_taken_for_no_api() -> None:
    denied = ("AccessDenied", "User is not authorized to perform: cloudformation:DescribeStacks", 403)
    with stubbed("cloudformation", ("describe_stacks", None, denied)) as client, pytest.raises(ClientError):
        api.find(client, STACK)


# --- asking it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("found", "is_signed"), [(FOUND, True), (TOKENS, False)])
def test_it_is_asked_with_a_signature_unless_it_takes_tokens(found: Api, is_signed: bool) -> None:
    asked: list[BaseHTTPRequestHandler] = []
    with gateway(200, "{}", asked) as address:
        answer = ApiTarget(found, session(), 2, address).invoke(b"{}", "application/json", "application/json")
    assert (answer.status, answer.kind, answer.body) == (200, "application/json", b"{}")
    [request] = asked
    assert (request.path, request.headers["Host"]) == ("/staging/predictions", HOST)
    signature = request.headers.get("Authorization", "")
    assert (f"/{REGION}/execute-api/aws4_request" in signature) is is_signed
    assert ("SignedHeaders=" in signature and "host" in signature) is is_signed


def test_no_connection_is_an_answer_too() -> None:
    answer = ApiTarget(FOUND, session(), 2, "http://127.0.0.1:9").invoke(b"{}", "application/json", "text/csv")
    assert answer.status == 0
    assert "Could not connect" in answer.excerpt


@pytest.mark.parametrize(("elsewhere", "address"), [("", ""), ("http://127.0.0.1:4566", "http://127.0.0.1:4566")])
def test_what_stands_in_for_aws_stands_in_for_the_api(
    monkeypatch: pytest.MonkeyPatch, elsewhere: str, address: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", elsewhere)
    assert aws.Clients(session()).api(FOUND, 2)._address == address


# --- verify ----------------------------------------------------------------------------------------------------------


def checked(store: FolderStore, register: Register, target: Target | None, **site: Any) -> Result:
    """What verify says about the API of a good endpoint."""
    package = register(1)
    with serving(Behaviour()) as url:
        verification = Verification(
            stage="staging",
            subject=str(package),
            budget=BUDGET,
            check_package=lambda: "Approved",
            open_site=lambda: Site(ServerTarget(url, 2), url, api=target, **site),
            read_contract=lambda: contract.load(store, package.contract_uri),
            sleep=lambda _: None,
        )
        [result] = [each for each in verification.run().results if each.name == "its API answers as it does"]
    return result


def wrong() -> str:
    return json.dumps({"predictions": [{**row, "probability": 0.5} for row in EXPECTED]})


@pytest.mark.parametrize(
    ("status", "text", "outcome", "detail"),
    [
        (200, PREDICTIONS, "passed", "3 rows, as the endpoint's own"),
        (200, wrong(), "failed", "row 1, probability: expected 0.9; found 0.5 (and 2 more)"),
        (500, '{"message": "Internal server error"}', "failed", "must be answered with 200; found HTTP 500: {"),
        (403, '{"message": "Missing Authentication Token"}', "failed", "must be answered with 200; found HTTP 403"),
    ],
)
def test_it_must_answer_as_the_endpoint(
    store: FolderStore, register: Register, status: int, text: str, outcome: str, detail: str
) -> None:
    with gateway(status, text) as address:
        result = checked(store, register, ApiTarget(FOUND, session(), 2, address))
    assert (result.outcome, detail in result.detail) == (outcome, True), result.detail


@pytest.mark.parametrize(("status", "outcome"), [(401, "passed"), (200, "failed"), (500, "failed")])
def test_one_that_takes_tokens_must_refuse_who_has_none(
    store: FolderStore, register: Register, status: int, outcome: str
) -> None:
    with gateway(status, PREDICTIONS) as address:
        target = ApiTarget(TOKENS, session(), 2, address)
        assert checked(store, register, target, api_takes_tokens=True).outcome == outcome


def test_without_one_nothing_is_asked(store: FolderStore, register: Register) -> None:
    result = checked(store, register, None)
    assert (result.outcome, result.detail) == ("skipped", "there is no API in front of it")
