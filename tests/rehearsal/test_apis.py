"""The project's own api.yaml, called as applications call it: signed, through API Gateway, to a model."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rehearsal import host
from tests.infrastructure import stages
from tests.numbers import next_account
from tests.rehearsal.conftest import Account, allow
from tests.rehearsal.served import Hosting
from tests.rehearsal.test_stage_stacks import Stage

ECHO = """
    async def app(scope, receive, send):
        body = (await receive()).get("body", b"")
        status = 422 if b"never" in body else 200
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body or b"{}"})
"""
BOUNDARY = {"Version": "2012-10-17", "Statement": [allow("*")]}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Emulator]:
    """An emulator that checks every call and whose waits are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REHEARSAL_PACE", "100")
        with host.emulator(tmp_path_factory.mktemp("apis"), enforce=True) as running:
            yield running


@pytest.fixture
def stage(strict: host.Emulator) -> Stage:
    """A stage with an endpoint that answers what it is asked."""
    account = Account(strict, next_account())
    account.client("iam").create_policy(PolicyName="sagemaker-projects-boundary", PolicyDocument=json.dumps(BOUNDARY))
    made = Stage(Hosting(account))
    policy = {"RoleName": made.hosting.role.rpartition("/")[2], "PolicyName": "p"}
    account.client("iam").put_role_policy(**policy, PolicyDocument=json.dumps(BOUNDARY))
    assert made.deploy("endpoint", made.hosting.package(ECHO), TrafficShifting="ALL_AT_ONCE") == "CREATE_COMPLETE"
    return made


def ask(stage: Stage, body: Any, role: str = "") -> tuple[int, str]:
    """POST to the API of the stage with the credentials of a role; without one, unsigned."""
    [stack] = stage.cloudformation.describe_stacks(StackName="prod-api")["Stacks"]
    [url] = [each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == "PredictionsUrl"]
    request = AWSRequest("POST", url, {"Content-Type": "application/json"}, json.dumps(body).encode())
    if role:
        sts = stage.account.client("sts").assume_role(RoleArn=role, RoleSessionName="application")["Credentials"]
        keys = Credentials(sts["AccessKeyId"], sts["SecretAccessKey"], sts["SessionToken"])
        SigV4Auth(keys, "execute-api", "us-east-1").add_auth(request)
    name, _, path = url.removeprefix("https://").partition("/")
    sent = urllib.request.Request(  # noqa: S310 - loopback
        f"{stage.account.emulator.address}/{path}", request.data, {**dict(request.headers), "Host": name}, method="POST"
    )
    try:
        with urllib.request.urlopen(sent) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def caller(stage: Stage, resource: str = "*") -> str:
    """A role that may call the APIs of a stage."""
    return stage.account.role("caller", "a.amazonaws.com", allow("execute-api:Invoke", resource=resource))


def test_an_application_with_the_right_asks_the_model(stage: Stage) -> None:
    assert stage.deploy("api", "") == "CREATE_COMPLETE", stage.reasons("prod-api")
    role = caller(stage, f"arn:aws:execute-api:us-east-1:{stage.account.id}:*/prod/POST/predictions")
    rows = {"instances": [{"tenure": 1}]}
    assert ask(stage, rows, role) == (200, json.dumps(rows, separators=(",", ":"))), str(
        stage.account.emulator.admin("denials")
    )[:900]
    assert ask(stage, "neither object nor list", role)[0] == 400
    assert ask(stage, rows) == (403, '{"message":"Missing Authentication Token"}')


def test_a_role_without_the_right_is_refused(stage: Stage) -> None:
    assert stage.deploy("api", "") == "CREATE_COMPLETE", stage.reasons("prod-api")
    role = caller(stage, f"arn:aws:execute-api:us-east-1:{stage.account.id}:*/staging/POST/predictions")
    assert ask(stage, {"instances": []}, role)[0] == 403


def test_a_role_that_wants_a_source_is_not_assumed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was: StringEquals aws:SourceAccount, which API Gateway does not send for an integration's role."""
    text = stages.templates()["api.yaml"].replace("StringEqualsIfExists", "StringEquals")
    monkeypatch.setattr(stages, "templates", lambda: {"api.yaml": text})
    assert stage.deploy("api", "") == "CREATE_COMPLETE", stage.reasons("prod-api")
    assert ask(stage, {"instances": []}, caller(stage)) == (500, '{"message": "Internal server error"}')
    denied = [each for each in stage.account.emulator.admin("denials") if each["action"] == "sts:AssumeRole"]
    assert [each["role"].rpartition("/")[2] for each in denied][-1:] == ["sagemaker-p-abc-prod-api"]


VERIFY = """
import json, sys
import boto3
from sagemaker_project_kit.deploy import api, aws
session = boto3.Session()
found = api.find(session.client("cloudformation"), "prod-api")
answer = aws.Clients(session).api(found, 20).invoke(sys.argv[1].encode(), "application/json", "application/json")
print(json.dumps([found.url, answer.status, answer.kind, answer.body.decode()]))
"""


def test_the_projects_own_verify_asks_it(stage: Stage) -> None:
    """As in a build: the SDK is told by AWS_ENDPOINT_URL where AWS is, the API's address stays AWS's own."""
    assert stage.deploy("api", "") == "CREATE_COMPLETE", stage.reasons("prod-api")
    right = allow("execute-api:Invoke", "cloudformation:DescribeStacks")
    role = stage.account.role("verify", "a.amazonaws.com", right)
    keys = stage.account.client("sts").assume_role(RoleArn=role, RoleSessionName="verify")["Credentials"]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": stage.account.emulator.address,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    rows = '{"instances":[{"tenure":1}]}'
    command = [sys.executable, "-c", VERIFY, rows]
    ran = subprocess.run(command, cwd=stages.FOLDER.parent, env=environment, capture_output=True, text=True, check=True)
    url, *answer = json.loads(ran.stdout)
    assert url.endswith(".execute-api.us-east-1.amazonaws.com/prod/predictions")
    assert answer == [200, "application/json", rows]
