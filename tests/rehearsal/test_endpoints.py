"""Endpoints with real servers behind them: predictions, capture, metrics, deployments that take themselves back."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import until
from rehearsal import host
from tests.infrastructure.events import recorded
from tests.numbers import next_account
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import Inbox
from tests.rehearsal.served import BAD, BROKEN, GOOD, Hosting

PACE = "100"  # a minute of AWS in 0.6 s
LONG = 900  # a wait that an alarm ends


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[host.Emulator]:
    """An emulator whose waits are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REHEARSAL_PACE", PACE)
        with host.emulator(tmp_path_factory.mktemp("quick")) as running:
            yield running


@pytest.fixture
def hosting(quick: host.Emulator) -> Hosting:
    """An account of this test's own."""
    return Hosting(Account(quick, next_account()))


class Traffic:
    """Requests one after another, until the block ends; `statuses` are what came back."""

    def __init__(self, hosting: Hosting, endpoint: str) -> None:
        self._hosting, self._endpoint = hosting, endpoint
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self.answers: list[bytes | int] = []

    def __enter__(self) -> "Traffic":
        self._work = self._pool.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._work.result()
        self._pool.shutdown()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.answers.append(self._hosting.invoke(self._endpoint)["body"])
            except ClientError as error:
                self.answers.append(error.response["ResponseMetadata"]["HTTPStatusCode"])


def alarm(hosting: Hosting, endpoint: str, config: str) -> str:
    """An alarm on server errors of one configuration, as endpoint.yaml has it."""
    dimensions = {"EndpointName": endpoint, "VariantName": "AllTraffic", "EndpointConfigName": config}
    hosting.account.client("cloudwatch").put_metric_alarm(
        AlarmName=f"{endpoint}-errors",
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Average",
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0.5,
        Period=60,
        EvaluationPeriods=2,
        TreatMissingData="notBreaching",
    )
    return f"{endpoint}-errors"


def policy(kind: str, *alarms: str, wait: int = 120) -> dict[str, Any]:
    """A DeploymentConfig."""
    size = {"Type": "CAPACITY_PERCENT", "Value": 50}
    routing = {"Type": kind, "WaitIntervalInSeconds": wait}
    routing |= {"CANARY": {"CanarySize": size}, "LINEAR": {"LinearStepSize": size}}.get(kind, {})
    blue_green = {"TrafficRoutingConfiguration": routing, "MaximumExecutionTimeoutInSeconds": 3600}
    watched = {"Alarms": [{"AlarmName": name} for name in alarms]}
    return {"BlueGreenUpdatePolicy": blue_green} | ({"AutoRollbackConfiguration": watched} if alarms else {})


def servers(running: host.Emulator) -> list[int]:
    """The processes that serve a model of this emulator."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if "local serve" in command and str(running.state) in command:
            found.append(int(entry.parent.name))
    return found


def test_an_endpoint_predicts_and_captures(hosting: Hosting) -> None:
    config = hosting.config("first", GOOD, DataCaptureConfig=hosting.capture())
    shown = hosting.endpoint("Doubles", config)
    assert shown["EndpointStatus"] == "InService"
    assert (
        shown["ProductionVariants"][0] | {"VariantName": "AllTraffic", "CurrentInstanceCount": 2}
        == shown["ProductionVariants"][0]
    )
    assert shown["DataCaptureConfig"]["CaptureStatus"] == "Started"

    assert hosting.invoke("Doubles", b"21", InferenceId="mine") == {
        "body": b"2121",
        "variant": "AllTraffic",
        "type": "text/csv",
    }

    (key,) = until(lambda: hosting.objects("datacapture/Doubles/AllTraffic/"))
    assert key.split("/")[3:7] == time.strftime("%Y %m %d %H", time.gmtime()).split()
    (line,) = hosting.lines(key)
    assert line["captureData"]["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": "21",
        "encoding": "CSV",
    }
    assert line["captureData"]["endpointOutput"]["data"] == "2121"
    assert line["eventMetadata"]["inferenceId"] == "mine"
    assert line["eventVersion"] == "0"


def test_requests_are_measured_by_variant_and_by_configuration(hosting: Hosting) -> None:
    hosting.endpoint("measured", hosting.config("measured", GOOD))
    hosting.invoke("measured")
    metrics = hosting.account.client("cloudwatch").list_metrics(Namespace="AWS/SageMaker")["Metrics"]
    named = {(metric["MetricName"], len(metric["Dimensions"])) for metric in metrics}
    names = ("Invocations", "ModelLatency", "OverheadLatency", "Invocation4XXErrors", "Invocation5XXErrors")
    assert named == {(name, dimensions) for name in names for dimensions in (2, 3)}


def test_what_a_model_refuses_is_a_model_error(hosting: Hosting) -> None:
    hosting.endpoint("refuses", hosting.config("refuses", GOOD))
    with pytest.raises(ClientError) as caught:
        hosting.invoke("refuses", b"x")
    response: dict[str, Any] = dict(caught.value.response)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert (response["Error"]["Code"], response["OriginalStatusCode"]) == ("ModelError", 400)
    assert response["OriginalMessage"] == "no number"
    with pytest.raises(ClientError, match=r"Endpoint nowhere of account .* not found"):
        hosting.invoke("nowhere")
    with pytest.raises(ClientError, match="Could not find variant Other"):
        hosting.invoke("refuses", TargetVariant="Other")


def test_a_deleted_endpoint_leaves_no_process(hosting: Hosting, quick: host.Emulator) -> None:
    before = servers(quick)
    hosting.endpoint("gone", hosting.config("gone", GOOD))
    assert len(servers(quick)) == len(before) + 1
    hosting.sagemaker.delete_endpoint(EndpointName="gone")
    until(lambda: servers(quick) == before)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        hosting.sagemaker.describe_endpoint(EndpointName="gone")


def test_what_is_deleted_is_no_longer_listed_by_its_tags(hosting: Hosting) -> None:
    tags, sagemaker = [{"Key": "sagemaker:project-id", "Value": "p-1"}], hosting.sagemaker
    name = hosting.config("tagged", GOOD, Tags=tags)
    sagemaker.add_tags(ResourceArn=sagemaker.describe_model(ModelName=name)["ModelArn"], Tags=tags)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)
    hosting.settled(name)
    assert tagged(hosting) == {"endpoint/tagged", "endpoint-config/tagged", "model/tagged"}
    sagemaker.delete_endpoint(EndpointName=name)
    assert tagged(hosting) == {"endpoint-config/tagged", "model/tagged"}
    sagemaker.delete_endpoint_config(EndpointConfigName=name)
    sagemaker.delete_model(ModelName=name)
    assert tagged(hosting) == set()


def tagged(hosting: Hosting) -> set[str]:
    """What carries the tag of a project."""
    found = hosting.account.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "sagemaker:project-id", "Values": ["p-1"]}]
    )["ResourceTagMappingList"]
    return {each["ResourceARN"].rpartition(":")[2] for each in found}


def test_an_endpoint_whose_model_does_not_start_has_failed(hosting: Hosting, quick: host.Emulator) -> None:
    before = servers(quick)  # those of other tests may end meanwhile
    shown = hosting.endpoint("broken", hosting.config("broken", BROKEN))
    assert shown["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in shown["FailureReason"]
    assert set(servers(quick)) <= set(before)
    with pytest.raises(ClientError, match="not found"):
        hosting.invoke("broken")


def test_a_role_that_may_not_be_assumed_fails_the_endpoint(hosting: Hosting) -> None:
    config = hosting.config("lost", GOOD)
    hosting.account.client("s3").delete_objects(
        Bucket=hosting.bucket, Delete={"Objects": [{"Key": key} for key in hosting.objects("")]}
    )
    shown = hosting.endpoint("lost", config)
    assert shown["EndpointStatus"] == "Failed"
    assert "Failed to download model data" in shown["FailureReason"]


def test_a_canary_moves_traffic_in_two_steps(hosting: Hosting) -> None:
    hosting.endpoint("canary", hosting.config("old", GOOD))
    config = hosting.config("new", GOOD.replace("body * 2", "body * 3"))
    with Traffic(hosting, "canary") as traffic:
        hosting.sagemaker.update_endpoint(
            EndpointName="canary",
            EndpointConfigName=config,
            DeploymentConfig=policy("CANARY", alarm(hosting, "canary", config)),
        )
        assert hosting.sagemaker.describe_endpoint(EndpointName="canary")["EndpointStatus"] == "Updating"
        shown = hosting.settled("canary")
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", config)
    assert "PendingDeploymentSummary" not in shown
    assert hosting.invoke("canary")["body"] == b"111"
    first = traffic.answers.index(b"111")
    assert b"11" in traffic.answers[first:], "the old fleet answers beside the canary"
    assert {b"11", b"111"} == set(traffic.answers), "nobody notices"


def test_every_stage_of_a_deployment_is_an_event(hosting: Hosting) -> None:
    deployments = Inbox(hosting.account, {"detail-type": ["SageMaker Endpoint Deployment State Change"]})
    states = Inbox(hosting.account, {"detail-type": ["SageMaker Endpoint State Change"]})
    hosting.endpoint("told", hosting.config("before", GOOD))
    update = {"EndpointName": "told", "EndpointConfigName": hosting.config("after", GOOD)}
    hosting.sagemaker.update_endpoint(**update, DeploymentConfig=policy("CANARY"))
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        hosting.sagemaker.delete_endpoint(EndpointName="told")
    hosting.settled("told")
    told = (
        until(lambda: found if (found := deployments.details())[-1]["EndpointStatus"] == "UPDATE_COMPLETE" else None)
        or []
    )
    statuses = [event["EndpointStatus"] for event in states.details()]
    assert statuses == ["CREATING", "IN_SERVICE", "UPDATING", "IN_SERVICE"]
    pending = [event["PendingDeploymentSummary"]["ProductionVariants"][0]["VariantStatus"][0] for event in told[:-1]]
    assert [stage["Status"] for stage in pending] == ["Creating", *["ActivatingTraffic", "Baking"] * 2]
    for name, event in (("endpoint-in-service", states.details()[1]), ("endpoint-deployment-rolled-back", told[0])):
        assert recorded()[name]["detail"].keys() - {"DeploymentId"} <= event.keys()


@pytest.mark.parametrize("kind", ["CANARY", "ALL_AT_ONCE"])
def test_an_alarm_brings_the_old_model_back(hosting: Hosting, kind: str) -> None:
    deployments = Inbox(hosting.account, {"detail-type": ["SageMaker Endpoint Deployment State Change"]})
    alarms = Inbox(hosting.account, {"detail-type": ["CloudWatch Alarm State Change"]})
    hosting.endpoint("guarded", hosting.config("good", GOOD))
    config = hosting.config("bad", BAD)
    with Traffic(hosting, "guarded") as traffic:
        hosting.sagemaker.update_endpoint(
            EndpointName="guarded",
            EndpointConfigName=config,
            DeploymentConfig=policy(kind, alarm(hosting, "guarded", config), wait=LONG),
        )
        shown = hosting.settled("guarded")
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "good")
    assert "guarded-errors" in shown["FailureReason"]
    assert 424 in traffic.answers
    assert hosting.invoke("guarded")["body"] == b"11"
    assert deployments.details()[-1]["EndpointStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "ALARM" in [event["state"]["value"] for event in alarms.details()]


def test_an_alarm_of_another_endpoint_does_not_count(hosting: Hosting) -> None:
    for name, app in (("calm", GOOD), ("wild", BAD)):
        hosting.endpoint(name, hosting.config(name, app))
    config = hosting.config("next", GOOD)
    with Traffic(hosting, "wild"):
        hosting.sagemaker.update_endpoint(
            EndpointName="calm",
            EndpointConfigName=config,
            DeploymentConfig=policy("LINEAR", alarm(hosting, "calm", config)),
        )
        shown = hosting.settled("calm")
    assert (shown["EndpointConfigName"], shown.get("FailureReason")) == (config, None)


def test_a_new_fleet_that_does_not_start_is_taken_back(hosting: Hosting) -> None:
    hosting.endpoint("steady", hosting.config("steady", GOOD))
    hosting.sagemaker.update_endpoint(EndpointName="steady", EndpointConfigName=hosting.config("dud", BROKEN))
    shown = hosting.settled("steady")
    assert (shown["EndpointStatus"], shown["EndpointConfigName"]) == ("InService", "steady")
    assert "ping health check" in shown["FailureReason"]
    assert hosting.invoke("steady")["body"] == b"11"


def test_deployments_that_sagemaker_refuses(hosting: Hosting) -> None:
    hosting.endpoint("strict", hosting.config("strict", GOOD))
    alone = hosting.config("alone", GOOD, count=1)
    with pytest.raises(ClientError, match="CanarySize must be at most 50 %"):
        hosting.sagemaker.update_endpoint(
            EndpointName="strict", EndpointConfigName=alone, DeploymentConfig=policy("CANARY")
        )
    late = policy("ALL_AT_ONCE")
    late["BlueGreenUpdatePolicy"]["TerminationWaitInSeconds"] = 3600
    with pytest.raises(ClientError, match="MaximumExecutionTimeoutInSeconds must be more"):
        hosting.sagemaker.update_endpoint(EndpointName="strict", EndpointConfigName=alone, DeploymentConfig=late)
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        hosting.sagemaker.update_endpoint(EndpointName="strict", EndpointConfigName="none")
    with pytest.raises(ClientError, match="Could not find model "):
        variant = {"VariantName": "A", "ModelName": "none", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        hosting.sagemaker.create_endpoint_config(EndpointConfigName="x", ProductionVariants=[variant])
    with pytest.raises(ClientError, match="needs InstanceType and InitialInstanceCount, or ServerlessConfig"):
        hosting.sagemaker.create_endpoint_config(
            EndpointConfigName="x", ProductionVariants=[{"VariantName": "A", "ModelName": "strict"}]
        )


def test_an_asynchronous_endpoint_answers_in_s3(hosting: Hosting) -> None:
    places = {name: f"s3://{hosting.bucket}/async/{name}" for name in ("answers", "failures")}
    output = {"S3OutputPath": places["answers"], "S3FailurePath": places["failures"]}
    config = hosting.config("later", GOOD, AsyncInferenceConfig={"OutputConfig": output})
    hosting.endpoint("later", config)
    s3, runtime = hosting.account.client("s3"), hosting.account.client("sagemaker-runtime")
    for name, body in (("good", b"4"), ("bad", b"x")):
        s3.put_object(Bucket=hosting.bucket, Key=f"in/{name}", Body=body)
    good, bad = (
        runtime.invoke_endpoint_async(
            EndpointName="later", InputLocation=f"s3://{hosting.bucket}/in/{name}", ContentType="text/csv"
        )
        for name in ("good", "bad")
    )
    keys = [uri.removeprefix(f"s3://{hosting.bucket}/") for uri in (good["OutputLocation"], bad["FailureLocation"])]
    until(lambda: set(keys) <= set(hosting.objects("async/")))
    assert [s3.get_object(Bucket=hosting.bucket, Key=key)["Body"].read() for key in keys] == [b"44", b"no number"]


def test_a_shadow_variant_gets_copies_and_answers_nobody(hosting: Hosting) -> None:
    hosting.config("shown", GOOD)
    hosting.config("hidden", BAD)
    common = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName="both",
        ProductionVariants=[{"VariantName": "AllTraffic", "ModelName": "shown", **common}],
        ShadowProductionVariants=[{"VariantName": "Shadow", "ModelName": "hidden", **common}],
    )
    shown = hosting.endpoint("both", "both")
    assert [variant["VariantName"] for variant in shown["ShadowProductionVariants"]] == ["Shadow"]
    assert {hosting.invoke("both")["body"] for _ in range(5)} == {b"11"}

    def copies() -> bool:
        metrics = hosting.account.client("cloudwatch").list_metrics(
            Namespace="AWS/SageMaker", MetricName="Invocations"
        )["Metrics"]
        return any({"Name": "VariantName", "Value": "Shadow"} in metric["Dimensions"] for metric in metrics)

    until(copies)


def test_traffic_is_shared_by_weight(hosting: Hosting) -> None:
    hosting.config("most", GOOD)
    hosting.config("some", GOOD.replace("body * 2", "body * 3"))
    common = {"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName="ab",
        ProductionVariants=[
            {"VariantName": "AllTraffic", "ModelName": "most", "InitialVariantWeight": 90, **common},
            {"VariantName": "Candidate", "ModelName": "some", "InitialVariantWeight": 10, **common},
        ],
    )
    hosting.endpoint("ab", "ab")
    variants = [hosting.invoke("ab")["variant"] for _ in range(20)]
    assert (variants.count("AllTraffic"), variants.count("Candidate")) == (18, 2)
    assert hosting.invoke("ab", TargetVariant="Candidate")["body"] == b"111"


SCALED = {
    "ServiceNamespace": "sagemaker",
    "ResourceId": "endpoint/scaled/variant/AllTraffic",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
}


def test_autoscaling_keeps_its_state_and_bounds_the_count(hosting: Hosting) -> None:
    hosting.endpoint("scaled", hosting.config("scaled", GOOD, count=2))
    scaling = hosting.account.client("application-autoscaling")
    scaling.register_scalable_target(**SCALED, MinCapacity=3, MaxCapacity=5)
    variant = hosting.settled("scaled")["ProductionVariants"][0]
    assert (variant["DesiredInstanceCount"], variant["CurrentInstanceCount"]) == (3, 3)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (3, 5)
    metric = {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"}
    tracking = {"TargetValue": 100.0, "PredefinedMetricSpecification": metric}
    kind = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": tracking}
    scaling.put_scaling_policy(**SCALED, PolicyName="requests", **kind)
    night = {"Schedule": "cron(0 20 * * ? *)", "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 1}}
    scaling.put_scheduled_action(**SCALED, ScheduledActionName="night", **night)
    assert (
        scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"][0]["PolicyName"]
        == "requests"
    )
    scaling.deregister_scalable_target(**SCALED)
    for listed in ("describe_scalable_targets", "describe_scaling_policies", "describe_scheduled_actions"):
        answer = getattr(scaling, listed)(ServiceNamespace="sagemaker")
        assert not any(value for key, value in answer.items() if key != "ResponseMetadata")


def test_a_scaled_variant_keeps_its_instance_type_and_its_count(hosting: Hosting) -> None:
    hosting.endpoint("scaled", hosting.config("scaled", GOOD, count=2))
    scaling = hosting.account.client("application-autoscaling")
    scaling.register_scalable_target(**SCALED, MinCapacity=3, MaxCapacity=5)
    variant = hosting.sagemaker.describe_endpoint_config(EndpointConfigName="scaled")["ProductionVariants"][0]
    bigger = [{**variant, "InstanceType": "ml.m5.xlarge"}]
    hosting.sagemaker.create_endpoint_config(EndpointConfigName="bigger", ProductionVariants=bigger)
    update = {"EndpointName": "scaled", "EndpointConfigName": "bigger", "RetainAllVariantProperties": True}
    with pytest.raises(ClientError, match="deregister it"):
        hosting.sagemaker.update_endpoint(**update)
    excluded = [{"VariantPropertyType": "DataCaptureConfig"}]
    with pytest.raises(ClientError, match=r"'DataCaptureConfig' at .* is not currently supported"):
        hosting.sagemaker.update_endpoint(**update, ExcludeRetainedVariantProperties=excluded)
    scaling.deregister_scalable_target(**SCALED)
    hosting.sagemaker.update_endpoint(**update)
    assert hosting.settled("scaled")["ProductionVariants"][0]["DesiredInstanceCount"] == 3


def test_endpoints_come_back_after_a_restart_and_go_with_the_emulator(tmp_path: Path) -> None:
    with host.emulator(tmp_path) as running:
        number = next_account()
        hosting = Hosting(Account(running, number))
        hosting.endpoint("lasting", hosting.config("lasting", GOOD))
        (before,) = servers(running)
        until(lambda: "lasting" in _saved(tmp_path))
        running.kill()
        until(lambda: not servers(running))
    with host.emulator(tmp_path) as running:
        again = Account(running, number).client("sagemaker-runtime")
        sagemaker = Account(running, number).client("sagemaker")
        until(lambda: sagemaker.describe_endpoint(EndpointName="lasting")["EndpointStatus"] == "InService")
        assert again.invoke_endpoint(EndpointName="lasting", Body=b"1", ContentType="text/csv")["Body"].read() == b"11"
        (after,) = servers(running)
    assert before != after
    until(lambda: not servers(running))


def _saved(state: Path) -> str:
    files = [path for path in (state / "stores").glob("*endpoint*") if path.stat().st_size > 10]
    return " ".join(path.read_bytes().decode("latin-1") for path in files)


def test_a_stack_whose_endpoint_rolls_back_rolls_back(hosting: Hosting) -> None:
    good, bad = hosting.package(GOOD), hosting.package(BAD)
    cloudformation = hosting.account.client("cloudformation")

    def template(package: str, wait: int) -> str:
        return json.dumps({"Resources": _resources(hosting.role, package, wait)})

    cloudformation.create_stack(
        StackName="stage", TemplateBody=template(good, LONG), Tags=[{"Key": "stage", "Value": "test"}]
    )
    until(lambda: cloudformation.describe_stacks(StackName="stage")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE")
    arn = hosting.sagemaker.describe_endpoint(EndpointName="stacked")["EndpointArn"]
    assert hosting.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "test"}]
    with Traffic(hosting, "stacked"):
        cloudformation.update_stack(StackName="stage", TemplateBody=template(bad, LONG))
        status = until(lambda: _ended(cloudformation.describe_stacks(StackName="stage")["Stacks"][0]["StackStatus"]))
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert hosting.invoke("stacked")["body"] == b"11"
    ignored = hosting.account.emulator.admin("ignored")
    assert "ProductionVariants[].InstanceType" in ignored["AWS::SageMaker::EndpointConfig"]
    cloudformation.delete_stack(StackName="stage")
    until(lambda: not hosting.sagemaker.list_endpoints()["Endpoints"] and not hosting.sagemaker.list_models()["Models"])


def _ended(status: str) -> str:
    return "" if status.endswith("IN_PROGRESS") else status


def _resources(role: str, package: str, wait: int) -> dict[str, Any]:
    variant: dict[str, Any] = {
        "VariantName": "AllTraffic",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": "2",
        "InitialVariantWeight": "1",
    }
    model = {"PrimaryContainer": {"ModelPackageName": package}, "ExecutionRoleArn": role}
    return {
        "Model": {"Type": "AWS::SageMaker::Model", "Properties": model},
        "Config": {"Type": "AWS::SageMaker::EndpointConfig", "Properties": {"ProductionVariants": [variant]}},
        "Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": _math_alarm()},
        "Endpoint": {"Type": "AWS::SageMaker::Endpoint", "Properties": _endpoint(wait)},
    }


def _math_alarm() -> dict[str, Any]:
    dimensions = {"EndpointName": "stacked", "VariantName": "AllTraffic"}
    watched: list[dict[str, Any]] = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    watched.append({"Name": "EndpointConfigName", "Value": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}})
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors", "Dimensions": watched}
    return {
        "AlarmName": "stacked-errors",
        "Metrics": [
            {"Id": "percent", "Expression": "share * 100"},
            {"Id": "share", "ReturnData": False, "MetricStat": {"Period": 60, "Stat": "Average", "Metric": metric}},
        ],
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 50,
        "EvaluationPeriods": 2,
        "TreatMissingData": "notBreaching",
    }


def _endpoint(wait: int) -> dict[str, Any]:
    routing = {
        "Type": "CANARY",
        "WaitIntervalInSeconds": str(wait),
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": "50"},
    }
    blue_green = {"TrafficRoutingConfiguration": routing, "MaximumExecutionTimeoutInSeconds": "3600"}
    watched = {"Alarms": [{"AlarmName": {"Ref": "Alarm"}}]}
    return {
        "EndpointName": "stacked",
        "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
        "DeploymentConfig": {"BlueGreenUpdatePolicy": blue_green, "AutoRollbackConfiguration": watched},
    }
