"""CodeBuild: what a buildspec says happens, in a clean environment and with nothing left behind."""

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.tests.waiting import until
from rehearsal.emulator.children import YIELDING
from rehearsal.emulator.codebuild.buildspec import BuildspecError, parse
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import Inbox, archive, commit, names, role

IMAGE = {
    "type": "LINUX_CONTAINER",
    "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
    "computeType": "BUILD_GENERAL1_SMALL",
}
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def project(account: Account) -> Callable[..., str]:
    """Makes a project of a buildspec; returns its name."""
    service_role = role(account, "build", "codebuild")

    def make(buildspec: str, **more: Any) -> str:
        number = time.monotonic_ns()
        request = {
            "name": f"project-{number}",
            "source": {"type": "NO_SOURCE", "buildspec": f"version: 0.2\n{buildspec}"},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "environment": IMAGE,
            "serviceRole": service_role,
            **more,
        }
        return str(account.client("codebuild").create_project(**request)["project"]["name"])

    return make


@pytest.fixture
def run(account: Account, project: Callable[..., str]) -> Run:
    """Builds a buildspec to the end."""

    def build(buildspec: str, start: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        started = account.client("codebuild").start_build(projectName=project(buildspec, **more), **(start or {}))
        return finished(account, started["build"]["id"])

    return build


def finished(account: Account, identifier: str) -> dict[str, Any]:
    client = account.client("codebuild")

    def complete() -> dict[str, Any] | None:
        build: dict[str, Any] = client.batch_get_builds(ids=[identifier])["builds"][0]
        return build if build["buildComplete"] else None

    found = until(complete)
    assert found
    return found


def log(account: Account, build: dict[str, Any]) -> str:
    place = {"logGroupName": build["logs"]["groupName"], "logStreamName": build["logs"]["streamName"]}
    events = account.client("logs").get_log_events(**place, startFromHead=True)["events"]
    return "\n".join(event["message"] for event in events)


def exported(build: dict[str, Any]) -> dict[str, str]:
    return {entry["name"]: entry["value"] for entry in build["exportedEnvironmentVariables"]}


def statuses(build: dict[str, Any]) -> dict[str, str]:
    return {phase["phaseType"]: phase.get("phaseStatus", "") for phase in build["phases"]}


def test_variables_and_folder_last_from_command_to_command(run: Run) -> None:
    build = run("""
env:
  exported-variables: [SOURCED, PLAIN, MULTILINE, FOLDER]
phases:
  install:
    commands:
      - export EXPORTED="it's one"
      - PLAIN=two
      - mkdir inside && cd inside
      - echo "SOURCED=three" > ../variables.sh
  build:
    commands:
      - . ../variables.sh
      - |
        MULTILINE="$EXPORTED
        and $PLAIN"
      - FOLDER=$(basename "$PWD")
""")
    assert build["buildStatus"] == "SUCCEEDED"
    assert exported(build) == {
        "SOURCED": "three",
        "PLAIN": "two",
        "MULTILINE": "it's one\nand two",
        "FOLDER": "inside",
    }


def test_nothing_of_the_caller_reaches_a_build(run: Run, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    build = run("""
env:
  variables: {UV_CACHE_DIR: /root/.cache/uv, OF_BUILDSPEC: "1", OF_PROJECT: buildspec, OF_START: buildspec}
phases:
  build:
    commands:
      - env
""", environment={**IMAGE, "environmentVariables": [{"name": "OF_PROJECT", "value": "project"},
                                                    {"name": "OF_START", "value": "project"}]},
        start={"environmentVariablesOverride": [{"name": "OF_START", "value": "start"}]})  # fmt: skip
    lines = (line.partition("=") for line in log(account, build).splitlines() if "=" in line)
    found = {name: value for name, _, value in lines}
    own = {"PYTHONPATH", "PYTHONPYCACHEPREFIX", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST", "GATEWAY_PORT", "REHEARSAL_STATE"}
    assert not own & set(found)
    assert found["HOME"] != os.environ["HOME"]
    assert found["UV_CACHE_DIR"] == f"{found['HOME']}/.cache/uv"
    assert (found["OF_BUILDSPEC"], found["OF_PROJECT"], found["OF_START"]) == ("1", "project", "start")
    assert found["CODEBUILD_BUILD_ID"] == build["id"]
    assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")


def test_a_build_yields_to_endpoints(run: Run, account: Account) -> None:
    sessions = Path("/proc/self/autogroup")  # Linux, unless switched off
    commands = ["sleep 0.3; echo niceness $(nice)", *([f"cat {sessions}"] if sessions.exists() else [])]
    told = log(account, run(f"phases: {json.dumps({'build': {'commands': commands}})}"))
    assert f"niceness {YIELDING}\n" in told
    assert f"nice {YIELDING}\n" in told or not sessions.exists()


def test_calls_of_a_build_are_those_of_its_role(run: Run, account: Account) -> None:
    ask = "import urllib.request, os; print(os.environ['AWS_ENDPOINT_URL'])"
    build = run(f'phases: {{build: {{commands: ["python3 -c \\"{ask}\\""]}}}}')
    assert account.emulator.address in log(account, build)
    key = account.client("sts").get_caller_identity()
    assert key["Account"] == account.id


@pytest.mark.parametrize(
    ("failing", "on_failure", "status", "last"),
    [
        ("install", "", {"INSTALL": "FAILED"}, "INSTALL"),
        ("pre_build", "", {"PRE_BUILD": "FAILED"}, "PRE_BUILD"),
        ("build", "", {"BUILD": "FAILED", "POST_BUILD": "SUCCEEDED"}, "UPLOAD_ARTIFACTS"),
        ("build", "ABORT", {"BUILD": "FAILED"}, "BUILD"),
        ("install", "CONTINUE", {"INSTALL": "FAILED", "BUILD": "SUCCEEDED"}, "UPLOAD_ARTIFACTS"),
        ("post_build", "", {"POST_BUILD": "FAILED"}, "UPLOAD_ARTIFACTS"),
    ],
)
def test_what_happens_after_a_failed_phase(
    run: Run, account: Account, failing: str, on_failure: str, status: dict[str, str], last: str
) -> None:
    phases = {
        name: {
            "commands": [
                f"echo {name} $CODEBUILD_BUILD_SUCCEEDING",
                "exit 7" if name == failing else "true",
                "echo after",
            ]
        }
        for name in ("install", "pre_build", "build", "post_build")
    }
    phases[failing] |= {"finally": ["echo finally"], **({"on-failure": on_failure} if on_failure else {})}  # type: ignore[dict-item]
    build = run(f"phases: {json.dumps(phases)}")
    assert build["buildStatus"] == "FAILED"
    found = statuses(build)
    assert status.items() <= found.items()
    own = [name for name in found if name not in ("FINALIZING", "COMPLETED")]
    assert own[-1] == last
    text = log(account, build)
    assert "finally" in text.splitlines()
    assert "exit 7. Reason: exit status 7" in text
    if "POST_BUILD" in found and failing == "build":
        assert "post_build 0" in text


def test_artifacts_keep_what_the_patterns_say(run: Run, account: Account) -> None:
    bucket = f"artifacts-{account.id}"
    account.client("s3").create_bucket(Bucket=bucket)
    build = run("""
phases:
  build:
    commands:
      - mkdir -p out/deep && touch out/a.json out/deep/b.json out/deep/c.txt elsewhere.json
artifacts:
  base-directory: out
  files: ["**/*"]
  exclude-paths: ["**/*.txt"]
""", artifacts={"type": "S3", "location": bucket, "packaging": "ZIP", "path": "p", "name": "a.zip"})  # fmt: skip
    assert build["buildStatus"] == "SUCCEEDED"
    content = account.client("s3").get_object(Bucket=bucket, Key="p/a.zip")["Body"].read()
    assert names(content) == ["a.json", "deep/b.json"]


def test_an_artifact_without_a_file_fails_the_build(run: Run, account: Account) -> None:
    place = {"type": "S3", "location": "nowhere", "packaging": "ZIP", "name": "a.zip"}
    build = run('phases: {build: {commands: ["true"]}}\nartifacts: {files: [missing/*]}', artifacts=place)
    assert statuses(build)["UPLOAD_ARTIFACTS"] == "FAILED"
    [context] = next(phase["contexts"] for phase in build["phases"] if phase["phaseType"] == "UPLOAD_ARTIFACTS")
    assert context == {"statusCode": "CLIENT_ERROR", "message": "no matching artifact paths found for missing/*"}


def test_test_results_become_a_report(run: Run, account: Account) -> None:
    failure = '<testcase name="b"><failure message="no"/></testcase>'
    junit = f'<testsuite><testcase name="a" classname="m" time="0.5"/>{failure}</testsuite>'
    build = run(f"""
phases:
  build:
    commands:
      - mkdir build && echo '{junit}' > build/tests.xml
reports:
  tests: {{files: [tests.xml], base-directory: build, file-format: JUNITXML}}
""")
    client = account.client("codebuild")
    [report] = client.batch_get_reports(reportArns=build["reportArns"])["reports"]
    assert (report["status"], report["testSummary"]["total"]) == ("FAILED", 2)
    assert report["testSummary"]["statusCounts"]["FAILED"] == 1
    cases = client.describe_test_cases(reportArn=report["arn"])["testCases"]
    assert {case["name"]: case["status"] for case in cases} == {"a": "SUCCEEDED", "b": "FAILED"}
    [group] = client.list_report_groups()["reportGroups"]
    assert group.endswith(f":report-group/{build['projectName']}-tests")


def test_a_stopped_build_leaves_nothing_running(account: Account, project: Callable[..., str]) -> None:
    client, marker = account.client("codebuild"), f"98765.{account.id[-4:]}"
    name = project(f'phases: {{build: {{commands: ["sleep {marker} & sleep {marker}"]}}}}')
    identifier = client.start_build(projectName=name)["build"]["id"]
    until(lambda: processes(marker))
    client.stop_build(id=identifier)
    build = finished(account, identifier)
    assert build["buildStatus"] == "STOPPED"
    assert statuses(build)["BUILD"] == "STOPPED"
    until(lambda: not processes(marker))


def test_a_build_that_is_stopped_before_it_began_does_not_begin(account: Account, project: Callable[..., str]) -> None:
    client = account.client("codebuild")
    identifier = client.start_build(projectName=project("phases: {build: {commands: [sleep 300]}}"))["build"]["id"]
    client.stop_build(id=identifier)
    assert finished(account, identifier)["buildStatus"] == "STOPPED"


def processes(marker: str) -> list[str]:
    """The command lines of this machine that contain `marker`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if marker in line and "sh" not in line.split()[0]:
            found.append(line)
    return found


def test_values_come_from_parameter_store_and_secrets_manager(run: Run, account: Account) -> None:
    account.client("ssm").put_parameter(Name="/team/token", Value="from ssm", Type="SecureString")
    account.client("secretsmanager").create_secret(Name="team", SecretString='{"key": "from secret"}')
    variable = {"name": "C", "value": "team:key", "type": "SECRETS_MANAGER"}
    build = run("""
env:
  parameter-store: {A: /team/token}
  secrets-manager: {B: "team:key"}
  exported-variables: [A, B, C]
phases: {build: {commands: ["true"]}}
""", environment={**IMAGE, "environmentVariables": [variable]})  # fmt: skip
    assert exported(build) == {"A": "from ssm", "B": "from secret", "C": "from secret"}


def test_a_secret_that_is_not_there_fails_with_its_name(run: Run) -> None:
    build = run('env: {secrets-manager: {TOKEN: nowhere}}\nphases: {build: {commands: ["true"]}}')
    messages = [entry["message"] for phase in build["phases"] for entry in phase["contexts"]]
    assert build["buildStatus"] == "FAILED"
    assert any("TOKEN cannot be read from nowhere" in message for message in messages)


def test_a_source_in_codecommit_is_cloned(run: Run, account: Account) -> None:
    name = f"source-{account.id}"
    url = account.client("codecommit").create_repository(repositoryName=name)["repositoryMetadata"]["cloneUrlHttp"]
    first = commit(
        account, name, {"buildspec.yml": "version: 0.2\nphases: {build: {commands: [cat word]}}", "word": "one\n"}
    )
    commit(account, name, {"word": "two\n"})
    source = {"type": "CODECOMMIT", "location": url}
    newest, older = (run("", source=source, start=start) for start in ({}, {"sourceVersion": first}))
    assert "two" in log(account, newest).splitlines()
    assert "one" in log(account, older).splitlines()
    assert older["resolvedSourceVersion"] == first


def test_a_source_in_a_bucket_is_unpacked(run: Run, account: Account) -> None:
    bucket = f"source-{account.id}"
    account.client("s3").create_bucket(Bucket=bucket)
    source = archive({"other.yml": "version: 0.2\nphases: {build: {commands: [cat word]}}", "word": "zipped\n"})
    account.client("s3").put_object(Bucket=bucket, Key="a.zip", Body=source)
    build = run("", source={"type": "S3", "location": f"{bucket}/a.zip", "buildspec": "other.yml"})
    assert "zipped" in log(account, build).splitlines()


CACHED = """
phases:
  build:
    commands:
      - mkdir -p ~/.kept inside
      - for folder in "$HOME/.kept" inside .; do printf x >> $folder/file; wc -c < $folder/file; done
cache:
  paths: [/root/.kept/**/*, inside/**/*, /opt/kept/**/*]
"""


@pytest.mark.parametrize(("modes", "found"), [(["LOCAL_CUSTOM_CACHE"], "221"), (["LOCAL_SOURCE_CACHE"], "111")])
def test_folders_of_the_cache_come_back(
    account: Account, project: Callable[..., str], modes: list[str], found: str
) -> None:
    """In a later build of the same project, but not in one that is made anew under its name."""
    client, cache = account.client("codebuild"), {"type": "LOCAL", "modes": modes}
    name = project(CACHED, cache=cache)
    first, second = (finished(account, client.start_build(projectName=name)["build"]["id"]) for _ in range(2))
    assert (counted(account, first), counted(account, second)) == ("111", found)
    assert ("/opt/kept/**/* is not cached here" in log(account, first)) == (found == "221")
    client.delete_project(name=name)
    kept = {key: first[key] for key in ("source", "environment", "serviceRole", "cache")}
    client.create_project(name=name, artifacts={"type": "NO_ARTIFACTS"}, **kept)
    third = finished(account, client.start_build(projectName=name)["build"]["id"])
    assert counted(account, third) == "111"


def counted(account: Account, build: dict[str, Any]) -> str:
    """The numbers that a build printed."""
    return "".join(re.findall(r"^ *(\d)$", log(account, build), re.MULTILINE))


def test_a_missing_buildspec_is_told_by_name(run: Run, account: Account) -> None:
    build = run("", source={"type": "NO_SOURCE", "buildspec": "ci/buildspec.yml"})
    [context] = next(phase["contexts"] for phase in build["phases"] if phase["phaseType"] == "DOWNLOAD_SOURCE")
    assert context["statusCode"] == "YAML_FILE_ERROR"
    assert "ci/buildspec.yml" in context["message"]


def test_more_builds_than_the_project_allows_are_refused(account: Account, project: Callable[..., str]) -> None:
    client = account.client("codebuild")
    name = project("phases: {build: {commands: [sleep 30]}}", concurrentBuildLimit=1)
    first = client.start_build(projectName=name)["build"]["id"]
    with pytest.raises(client.exceptions.AccountLimitExceededException):
        client.start_build(projectName=name)
    client.stop_build(id=first)
    finished(account, first)
    second = client.start_build(projectName=name)["build"]["id"]
    client.stop_build(id=second)
    assert finished(account, second)["buildNumber"] == 2


def test_a_start_that_is_repeated_starts_nothing(account: Account, project: Callable[..., str]) -> None:
    client, name = account.client("codebuild"), project('phases: {build: {commands: ["true"]}}')
    ids = {client.start_build(projectName=name, idempotencyToken="once")["build"]["id"] for _ in range(2)}
    assert len(ids) == 1


def test_each_change_of_state_is_an_event(run: Run, account: Account) -> None:
    inbox = Inbox(account, {"source": ["aws.codebuild"], "detail-type": ["CodeBuild Build State Change"]})
    build = run('phases: {build: {commands: ["false"]}}')
    assert [event["build-status"] for event in inbox.at_least(2)] == ["IN_PROGRESS", "FAILED"]
    assert inbox.details()[-1]["build-id"] == build["arn"]


def test_a_stack_makes_a_project_of_its_properties(account: Account) -> None:
    properties = {
        "Name": f"stack-{account.id}",
        "ServiceRole": role(account, "build", "codebuild"),
        "Source": {"Type": "NO_SOURCE", "BuildSpec": "version: 0.2\nphases: {build: {commands: [\"echo $WORD\"]}}"},
        "Artifacts": {"Type": "NO_ARTIFACTS"},
        "Environment": {"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "i",
                        "EnvironmentVariables": [{"Name": "WORD", "Value": "from-the-stack"}]},
        "LogsConfig": {"CloudWatchLogs": {"Status": "ENABLED", "GroupName": "/builds"}},
        "TimeoutInMinutes": 7,
        "ConcurrentBuildLimit": 1,
    }  # fmt: skip
    template = {"Resources": {"P": {"Type": "AWS::CodeBuild::Project", "Properties": properties}}}
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="p", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName="p", WaiterConfig={"Delay": 0.1})
    client = account.client("codebuild")
    build = finished(account, client.start_build(projectName=properties["Name"])["build"]["id"])
    assert (build["timeoutInMinutes"], build["logs"]["groupName"]) == (7, "/builds")
    assert "from-the-stack" in log(account, build).splitlines()
    properties["TimeoutInMinutes"] = 9
    cloudformation.update_stack(StackName="p", TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_update_complete").wait(StackName="p", WaiterConfig={"Delay": 0.1})
    assert client.batch_get_projects(names=[properties["Name"]])["projects"][0]["timeoutInMinutes"] == 9
    cloudformation.delete_stack(StackName="p")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="p", WaiterConfig={"Delay": 0.1})
    assert client.list_projects()["projects"] == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 0.1\nphases: {build: {commands: [a]}}", "version must be 0.2"),
        ("version: 0.2\n", "at least one phase"),
        ("version: 0.2\nphases: {biuld: {commands: [a]}}", "phases: unknown: biuld"),
        ("version: 0.2\nphases: {build: {commands: [a: b]}}", "quote what contains a colon"),
        ("version: 0.2\nphases: {build: {commands: [a], on-failure: RETRY}}", "RETRY is not emulated"),
        ("version: 0.2\nphases: {build: {commands: [a]}}\nbatch: {}", "unknown or not emulated here: batch"),
        ("version: 0.2\nphases: [", "is no YAML"),
    ],
)
def test_what_is_no_buildspec_is_refused(text: str, says: str) -> None:
    with pytest.raises(BuildspecError, match=says):
        parse(text)
