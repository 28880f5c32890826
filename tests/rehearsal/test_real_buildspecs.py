"""The generated project's own buildspec, run as it is: the deploy pipeline before any approval."""

import io
import zipfile
from pathlib import Path

import pytest

from kit.tests.waiting import until
from tests.rehearsal.conftest import Account
from tests.rehearsal.test_codepipeline import Delivery, approval, build, only_if, stage

pytestmark = pytest.mark.story


def seed(project: Path) -> bytes:
    """The project as `Code` of a repository."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(project.rglob("*")):
            if path.is_file():
                archive.write(path, str(path.relative_to(project)))
    return content.getvalue()


def environment(account: Account) -> dict[str, str]:
    """What the project's stack gives to the builds of the deploy half."""
    number, role = account.id, f"arn:aws:iam::{account.id}:role/sagemaker-projects"
    stages = {
        f"{name}_{key}": value
        for name in ("STAGING", "PROD")
        for key, value in {
            "ACCOUNT_ID": number,
            "ENDPOINT_ROLE_ARN": f"{role}/endpoint",
            "VERIFY_ROLE_ARN": f"{role}/verify",
        }.items()
    }
    key = f"arn:aws:kms:us-east-1:{number}:key/00000000-0000-0000-0000-000000000000"
    return {
        "SAGEMAKER_PROJECT_NAME": "churn",
        "SAGEMAKER_PROJECT_ID": f"p-{number}",
        "MODEL_PACKAGE_GROUP": f"churn-p-{number}",
        "ARTIFACT_BUCKET": f"artifacts-{number}",
        "KMS_KEY_ARN": key,
        "PIPELINE_ROLE_ARN": f"{role}/jobs",
        **stages,
    }


def test_the_first_release_is_green_and_says_what_it_waits_for(account: Account, project_folder: Path) -> None:
    delivery = Delivery(account)
    account.client("sagemaker").create_model_package_group(ModelPackageGroupName=f"churn-p-{account.id}")
    account.client("s3").put_object(Bucket=delivery.bucket, Key="seed.zip", Body=seed(project_folder))
    properties = f"RepositoryName: project-{account.id}, Code: {{S3: {{Bucket: {delivery.bucket}, Key: seed.zip}}}}"
    template = f"Resources: {{R: {{Type: AWS::CodeCommit::Repository, Properties: {{{properties}}}}}}}"
    cloudformation = account.client("cloudformation")
    cloudformation.create_stack(StackName="seeded", TemplateBody=template)
    cloudformation.get_waiter("stack_create_complete").wait(StackName="seeded", WaiterConfig={"Delay": 0.1})
    delivery.repository = f"project-{account.id}"
    project = delivery.project("release", "model_deploy/buildspec.yml")
    release = build("Release", project, environment(account), outputs=["Release"], namespace="Release")
    check = only_if("#{Release.RELEASE_STATUS}", "EQ", "release")
    pipeline = delivery.create(stage("Release", release), stage("Approve", approval(), **check))
    until(lambda: delivery.executions(pipeline)[0]["status"] != "InProgress", seconds=240)
    assert delivery.stages(pipeline) == {"Source": "Succeeded", "Release": "Succeeded", "Approve": "Skipped"}, log(
        account
    )
    given = delivery.runs(pipeline)["Release"]["output"]["outputVariables"]
    assert given == {"RELEASE_STATUS": "waiting", "MODEL_PACKAGE_ARN": ""}
    assert "no version in model package group churn" in log(account)


def log(account: Account) -> str:
    """What the release build printed."""
    logs, group = account.client("logs"), "/aws/codebuild/release"
    [stream] = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)[
        "events"
    ]
    return "\n".join(event["message"] for event in events)
