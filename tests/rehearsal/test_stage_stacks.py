"""The project's own endpoint.yaml and scaling.yaml as stacks: released, scaled, rolled back by alarms, deleted."""

from collections.abc import Iterator
from typing import Any

import pytest

from kit.tests.waiting import until
from rehearsal import host
from tests.infrastructure import stages
from tests.infrastructure.cloudformation import load
from tests.numbers import next_account
from tests.rehearsal.conftest import Account
from tests.rehearsal.served import BAD, GOOD, Hosting
from tests.rehearsal.test_endpoints import Traffic

NAME = "Churn-p-abc-prod"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Emulator]:
    """An emulator whose waits are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REHEARSAL_PACE", "100")
        with host.emulator(tmp_path_factory.mktemp("stages")) as running:
            yield running


class Stage:
    """The stage `prod` of a project, in an account of its own."""

    def __init__(self, hosting: Hosting) -> None:
        self.hosting, self.account = hosting, hosting.account
        self.key = self.account.client("kms").create_key()["KeyMetadata"]["Arn"]
        self.cloudformation = self.account.client("cloudformation")

    def deploy(self, concern: str, package: str, **overrides: str) -> str:
        """Create or update the stack of a template, as the deploy pipeline does; the status it ends with."""
        text = stages.templates()[f"{concern}.yaml"]
        values = {**stages.config("prod"), **stages.ADDED, **self.values(package), **overrides}
        declared = load(text)["Parameters"]
        parameters = [{"ParameterKey": key, "ParameterValue": values[key]} for key in declared if key in values]
        name = f"prod-{concern}"
        known = [each["StackName"] for each in self.cloudformation.describe_stacks()["Stacks"]]
        call = self.cloudformation.update_stack if name in known else self.cloudformation.create_stack
        call(StackName=name, TemplateBody=text, Parameters=parameters, Capabilities=["CAPABILITY_NAMED_IAM"])
        return str(until(lambda: self.ended(name)))

    def delete(self, *concerns: str) -> None:
        """Delete stacks, one after the other."""
        for concern in concerns:
            name = f"prod-{concern}"
            self.cloudformation.delete_stack(StackName=name)
            self.gone(name)

    def gone(self, name: str) -> None:
        """Wait for the end of a stack."""
        until(lambda: name not in str(self.cloudformation.describe_stacks()["Stacks"]))

    def values(self, package: str) -> dict[str, str]:
        """What a release fills in."""
        return {
            "SageMakerProjectName": "Churn",
            "SageMakerProjectId": "p-abc",
            "StageName": "prod",
            "ModelPackageArn": package,
            "ExecutionRoleArn": self.hosting.role,
            "KmsKeyArn": self.key,
            "ArtifactBucketName": self.hosting.bucket,
            "AlarmEmail": "",
            "ExpectsTraffic": "no",
        }

    def ended(self, name: str) -> str:
        status = str(self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
        return "" if status.endswith("IN_PROGRESS") else status

    def reasons(self, name: str) -> list[Any]:
        events = self.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        return [
            (event["LogicalResourceId"], event.get("ResourceStatusReason"))
            for event in events
            if "FAILED" in event["ResourceStatus"]
        ]


@pytest.fixture
def stage(quick: host.Emulator) -> Stage:
    """A stage of this test's own."""
    return Stage(Hosting(Account(quick, next_account())))


@pytest.mark.story
def test_a_release_its_scaling_and_a_release_that_fails(stage: Stage) -> None:
    hosting = stage.hosting
    good, better, bad = hosting.package(GOOD), hosting.package(GOOD.replace("* 2", "* 3")), hosting.package(BAD)
    assert stage.deploy("endpoint", good) == "CREATE_COMPLETE", stage.reasons("prod-endpoint")
    assert (
        stage.deploy("scaling", good, AutoScaling="on", MinInstanceCount="3", MaxInstanceCount="5") == "CREATE_COMPLETE"
    )
    first = hosting.settled(NAME)
    assert first["ProductionVariants"][0]["DesiredInstanceCount"] == 3
    with Traffic(hosting, NAME) as traffic:
        assert stage.deploy("endpoint", better, AutoScaling="on") == "UPDATE_COMPLETE", stage.reasons("prod-endpoint")
        second = hosting.settled(NAME)
        assert stage.deploy("endpoint", bad, AutoScaling="on") == "UPDATE_ROLLBACK_COMPLETE"
    third = hosting.settled(NAME)
    assert second["EndpointConfigName"] == third["EndpointConfigName"] != first["EndpointConfigName"]
    assert second["ProductionVariants"][0]["DesiredInstanceCount"] == 3, "a release keeps the count"
    assert "prod-new-5xx" in str(stage.reasons("prod-endpoint"))
    assert hosting.invoke(NAME)["body"] == b"111"
    assert set(traffic.answers) == {b"11", b"111", 424}
    until(lambda: hosting.objects(f"datacapture/prod/{NAME}/AllTraffic/"))

    stage.delete("scaling", "endpoint")
    assert hosting.sagemaker.list_endpoints()["Endpoints"] == []
    alarms = stage.account.client("cloudwatch").describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    assert (alarms["MetricAlarms"], alarms["CompositeAlarms"]) == ([], [])
