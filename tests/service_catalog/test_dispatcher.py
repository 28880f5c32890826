"""The dispatcher's code, taken out of the template and run against stubs that refuse every call nobody expects."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from tests.infrastructure import catalog, events
from tests.infrastructure.cloudformation import Stack

REPOSITORY = "sagemaker-1Customer-Churn-Prediction-Model-p-abcdefghij01234567"
BUILD, DEPLOY = f"{REPOSITORY}-build", f"{REPOSITORY}-deploy"
BEFORE, AFTER = "0123456789abcdef0123456789abcdef01234567", "6c6f6e6720636f6d6d6974206964656e74696679"
EXECUTION = "12345678-1234-5678-abcd-12345678abcd"


@pytest.fixture(scope="module")
def stack() -> Stack:
    return catalog.stack("product.yaml", catalog.templates()["product.yaml"])


class Services:
    """CodePipeline and CodeCommit, each with the calls it expects."""

    def __init__(self) -> None:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "eu-central-1"}
        self.clients = {name: boto3.client(name, **keys) for name in ("codepipeline", "codecommit")}
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}

    def start(self, pipeline: str, token: str, **variables: str) -> None:
        given = [{"name": name, "value": value} for name, value in variables.items()]
        expected = {"name": pipeline, "clientRequestToken": token} | ({"variables": given} if given else {})
        self.stubs["codepipeline"].add_response(
            "start_pipeline_execution", {"pipelineExecutionId": EXECUTION}, expected
        )

    def differ(self, *paths: str, before: str = BEFORE, **page: str) -> None:
        """One page of GetDifferences; `NextToken` and `after` say where it is in the sequence."""
        since = {"beforeCommitSpecifier": before} if before else {}
        expected = {"repositoryName": REPOSITORY, "afterCommitSpecifier": AFTER, **since}
        expected |= {"NextToken": page["after"]} if "after" in page else {}
        answer: dict[str, Any] = {"differences": [{"afterBlob": _blob(path), "changeType": "M"} for path in paths]}
        self.stubs["codecommit"].add_response("get_differences", answer | _next(page), expected)


def _blob(path: str) -> dict[str, str]:
    return {"blobId": "0" * 40, "path": path, "mode": "100644"}


def _next(page: dict[str, str]) -> dict[str, str]:
    return {"NextToken": page["NextToken"]} if "NextToken" in page else {}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Every expected call must be made."""
    found = Services()
    monkeypatch.setattr(boto3, "client", lambda name: found.clients[name])
    for stub in found.stubs.values():
        stub.activate()
    yield found
    for stub in found.stubs.values():
        stub.assert_no_pending_responses()


@pytest.fixture
def handle(stack: Stack, services: Services) -> Callable[[dict[str, Any]], Any]:
    """The handler that the template names."""
    ((_, function),) = stack.of_type("AWS::Lambda::Function")
    module, _, name = function["Handler"].partition(".")
    assert module == "index"
    code: dict[str, Any] = {}
    exec(compile(function["Code"]["ZipFile"], "index.py", "exec"), code)  # noqa: S102 - our own
    handler = code[name]
    return lambda event: handler(event, None)


def recorded(name: str, **changes: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((events.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    event["detail"] |= changes
    return event


def passes(stack: Stack, rule: str, event: dict[str, Any]) -> bool:
    """Whether EventBridge hands the event on."""
    pattern = dict(stack.of_type("AWS::Events::Rule"))[rule]["EventPattern"]
    return events.matches(events.known(pattern), event)


# --- approvals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model-package-approved", "model-package-rejected"])
def test_a_decision_starts_the_deploy_pipeline_with_exactly_that_version(
    stack: Stack, services: Services, handle: Callable[..., Any], name: str
) -> None:
    event = recorded(name)
    assert passes(stack, "ApprovalRule", event)
    about = {"MODEL_PACKAGE_ARN": event["detail"]["ModelPackageArn"], "MODEL_PACKAGE_EVENT_TIME": event["time"]}
    services.start(DEPLOY, event["id"], **about)
    assert handle(event) == [EXECUTION]


@pytest.mark.parametrize("name", ["model-package-approved-metadata-edited", "model-package-registered"])
def test_what_is_no_decision_never_arrives(stack: Stack, name: str) -> None:
    assert not passes(stack, "ApprovalRule", recorded(name))


def test_a_decision_about_another_project_never_arrives(stack: Stack) -> None:
    event = recorded("model-package-approved", ModelPackageGroupName="another-p-1")
    assert not passes(stack, "ApprovalRule", event)


def test_the_same_event_twice_carries_the_same_token(services: Services, handle: Callable[..., Any]) -> None:
    """CodePipeline takes a request with a token that it knows for the same request."""
    event = recorded("model-package-approved")
    for _ in range(2):
        services.stubs["codepipeline"].add_response(
            "start_pipeline_execution",
            {"pipelineExecutionId": EXECUTION},
            {"name": DEPLOY, "clientRequestToken": event["id"], "variables": ANY},
        )
    assert handle(event) == handle(event)


def test_variables_are_those_that_the_pipeline_declares(stack: Stack) -> None:
    pipeline = dict(stack.of_type("AWS::CodePipeline::Pipeline"))["DeployPipeline"]
    assert [each["Name"] for each in pipeline["Variables"]] == ["MODEL_PACKAGE_ARN", "MODEL_PACKAGE_EVENT_TIME"]
    assert {each["DefaultValue"] for each in pipeline["Variables"]} == {"none"}


# --- pushes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "started"),
    [
        (["model_build/training.py"], [BUILD]),
        (["model_build/steps/deep/er.py"], [BUILD]),
        (["data/churn.csv"], [BUILD]),
        (["project.toml"], [BUILD]),
        (["model_deploy/endpoint.yaml"], [DEPLOY]),
        (["model_deploy/config/prod.json"], [DEPLOY]),
        (["Makefile"], [BUILD, DEPLOY]),
        (["requirements.lock", "README.md"], [BUILD, DEPLOY]),
        (["model_build/a.py", "model_deploy/b.py"], [BUILD, DEPLOY]),
        (["README.md", "notebooks/explore.py", "tests/model_build/test_graph.py", "local/run.py"], []),
        (["docs/model_build/readme.md", "my_project.toml", "old/Makefile"], []),
        ([], []),
    ],
)
def test_a_push_starts_the_halves_it_concerns(
    services: Services, handle: Callable[..., Any], paths: list[str], started: list[str]
) -> None:
    event = recorded("codecommit-push")
    services.differ(*paths)
    for pipeline in started:
        services.start(pipeline, event["id"])
    assert handle(event) == [EXECUTION] * len(started)


def test_the_first_push_concerns_everything_that_it_brings(
    stack: Stack, services: Services, handle: Callable[..., Any]
) -> None:
    event = recorded("codecommit-branch-created")
    assert passes(stack, "PushRule", event)
    services.differ("model_build/__main__.py", "model_deploy/__main__.py", before="")
    services.start(BUILD, event["id"])
    services.start(DEPLOY, event["id"])
    assert len(handle(event)) == 2


def test_every_page_is_read(services: Services, handle: Callable[..., Any]) -> None:
    event = recorded("codecommit-push")
    services.differ(*[f"docs/{number}.md" for number in range(100)], NextToken="more")
    services.differ("model_deploy/verify.py", after="more")
    services.start(DEPLOY, event["id"])
    assert handle(event) == [EXECUTION]


@pytest.mark.parametrize("side", ["beforeBlob", "afterBlob"])
def test_a_file_that_goes_or_moves_counts_under_both_names(
    services: Services, handle: Callable[..., Any], side: str
) -> None:
    event = recorded("codecommit-push")
    other = "afterBlob" if side == "beforeBlob" else "beforeBlob"
    difference = {side: _blob("model_build/old.py"), other: _blob("attic/old.py"), "changeType": "M"}
    answer = {"differences": [difference, {"beforeBlob": _blob("gone.md"), "changeType": "D"}]}
    services.stubs["codecommit"].add_response("get_differences", answer)
    services.start(BUILD, event["id"])
    assert handle(event) == [EXECUTION]


@pytest.mark.parametrize("name", ["codecommit-push-to-another-branch", "codecommit-tag", "codecommit-branch-deleted"])
def test_what_is_no_push_to_the_branch_never_arrives(stack: Stack, name: str) -> None:
    assert not passes(stack, "PushRule", recorded(name))


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "operation", "event"),
    [
        ("codepipeline", "start_pipeline_execution", "model-package-approved"),
        ("codecommit", "get_differences", "codecommit-push"),
    ],
)
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "PipelineNotFoundException"])
def test_a_refusal_is_raised_so_that_lambda_tries_again(
    services: Services, handle: Callable[..., Any], service: str, operation: str, event: str, code: str
) -> None:
    services.stubs[service].add_client_error(operation, code)
    with pytest.raises(ClientError, match=code):
        handle(recorded(event))


def test_the_second_try_of_a_push_repeats_the_token_of_what_had_started(
    services: Services, handle: Callable[..., Any]
) -> None:
    event = recorded("codecommit-push")
    services.differ("Makefile")
    services.start(BUILD, event["id"])
    services.stubs["codepipeline"].add_client_error("start_pipeline_execution", "ThrottlingException")
    with pytest.raises(ClientError):
        handle(event)
    services.differ("Makefile")
    services.start(BUILD, event["id"])
    services.start(DEPLOY, event["id"])
    assert handle(event) == [EXECUTION] * 2


def test_what_is_printed_names_the_event_and_the_execution(
    services: Services, handle: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    event = recorded("codecommit-push")
    services.differ("data/churn.csv")
    services.start(BUILD, event["id"])
    handle(event)
    assert capsys.readouterr().out == f"event={event['id']} pipeline={BUILD} execution={EXECUTION}\n"


# --- the code itself --------------------------------------------------------------------------------------------------


def test_the_code_is_small_and_needs_nothing_but_boto3(stack: Stack) -> None:
    ((_, function),) = stack.of_type("AWS::Lambda::Function")
    code = function["Code"]["ZipFile"]
    assert len(code.encode()) < 4096
    assert set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE)) == {"boto3", "fnmatch"}
    assert "<" not in code.replace("<=", "")  # nothing of the template was left unresolved


def test_the_code_is_as_tidy_as_any_other(stack: Stack, tmp_path: Path) -> None:
    """Ruff sees no code in YAML."""
    ((_, function),) = stack.of_type("AWS::Lambda::Function")
    (tmp_path / "index.py").write_text(function["Code"]["ZipFile"], encoding="utf-8")
    rules = ["--isolated", "--select", "E,F,I,B,S,UP,PL", "--ignore", "E501"]  # the tables are one line each, resolved
    command = [sys.executable, "-m", "ruff", "check", *rules]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
