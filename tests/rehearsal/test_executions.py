"""Pipelines and their executions: real programs under the /opt/ml contract, inputs and outputs in S3, events."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from kit.tests.waiting import until
from tests.infrastructure.events import recorded
from tests.rehearsal.conftest import Account
from tests.rehearsal.definitions import CACHED, Building, condition, fail, packed
from tests.rehearsal.engines import Inbox

LIMIT = {"Name": "Limit", "Type": "Float", "DefaultValue": 0.8}
SLOW = "import time; time.sleep(60)"


@pytest.fixture
def building(account: Account) -> Building:
    """An account of this test's own."""
    return Building(account)


def gated(building: Building, **more: Any) -> list[dict[str, Any]]:
    """Measure, then register or fail."""
    register = building.register(
        f"s3://{building.bucket}/model.tar.gz",
        CustomerMetadataProperties={"pipeline_execution": {"Get": "Execution.PipelineExecutionArn"}},
    )
    gate = condition("Gate", "Measure", {"Get": "Parameters.Limit"}, [register], [fail("the model is too bad")])
    return [building.measure(**more), gate]


def test_a_good_model_is_registered(building: Building) -> None:
    building.pipeline(gated(building), [LIMIT])
    execution = building.start()
    steps = building.finish(execution)
    assert {name: step["StepStatus"] for name, step in steps.items()} == dict.fromkeys(
        ["Measure", "Gate", "Register"], "Succeeded"
    )
    assert steps["Gate"]["Metadata"]["Condition"]["Outcome"] == "True"
    arn = steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    package = building.sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["CustomerMetadataProperties"]["pipeline_execution"] == execution
    assert package["MetadataProperties"]["GeneratedBy"] == execution
    assert package["CreatedBy"]["IamIdentity"]["Arn"].startswith(
        f"arn:aws:sts::{building.account.id}:assumed-role/jobs/"
    )
    identifier = execution.rpartition("/")[2]
    assert json.loads(building.read(f"s3://{building.bucket}/runs/{identifier}/Measure/result.json")) == {
        "quality": {"value": 0.9}
    }


def test_a_job_can_be_described_and_its_log_read(building: Building) -> None:
    building.pipeline([building.measure()])
    steps = building.finish(building.start())
    (job,) = building.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]
    assert steps["Measure"]["Metadata"]["ProcessingJob"]["Arn"] == job["ProcessingJobArn"]
    described = building.sagemaker.describe_processing_job(ProcessingJobName=job["ProcessingJobName"])
    assert described["ProcessingJobStatus"] == "Completed"
    assert described["RoleArn"] == building.role
    logs, group = building.account.client("logs"), "/aws/sagemaker/ProcessingJobs"
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    assert "measuring 0.9" in [event["message"] for event in events]


def test_a_bad_model_is_not_registered(building: Building) -> None:
    building.pipeline(gated(building), [LIMIT])
    execution = building.start(Limit="0.95")
    steps = building.finish(execution)
    assert building.status(execution) == "Failed"
    assert steps["TooBad"]["FailureReason"] == "the model is too bad"
    assert "Register" not in steps
    assert building.sagemaker.list_model_packages(ModelPackageGroupName="models")["ModelPackageSummaryList"] == []


def test_a_training_job_leaves_model_and_metrics(building: Building) -> None:
    for number in range(3):
        building.put(f"data/{number}.csv", "1")
    register = building.register({"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"})
    building.pipeline([building.train(f"s3://{building.bucket}/data"), register])
    steps = building.finish(building.start())
    assert building.sagemaker.list_training_jobs()["TrainingJobSummaries"][0]["TrainingJobStatus"] == "Completed"
    name = building.sagemaker.list_training_jobs()["TrainingJobSummaries"][0]["TrainingJobName"]
    job = building.sagemaker.describe_training_job(TrainingJobName=name)
    assert [(metric["MetricName"], round(metric["Value"], 3)) for metric in job["FinalMetricDataList"]] == [
        ("score", 0.3)
    ]
    uri = f"s3://{building.bucket}/models/{name}/output/model.tar.gz"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == uri
    assert building.read(uri)[:2] == b"\x1f\x8b"
    arn = steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    package = building.sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == uri


def test_a_program_that_fails_says_why(building: Building) -> None:
    building.pipeline([building.measure(code="raise SystemExit('no rows at all')")])
    execution = building.start()
    steps = building.finish(execution)
    assert building.status(execution) == "Failed"
    assert steps["Measure"]["FailureReason"].startswith("AlgorithmError: the program ended with exit code 1")
    assert building.sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["FailureReason"]


def test_inputs_that_are_not_there_fail_the_step(building: Building) -> None:
    step = building.measure()
    step["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] = f"s3://{building.bucket}/nothing"
    building.pipeline([step])
    steps = building.finish(building.start())
    assert "no S3 objects found under" in steps["Measure"]["FailureReason"]


def test_unchanged_steps_come_from_the_cache(building: Building) -> None:
    building.pipeline(gated(building, **CACHED), [LIMIT])
    first = building.start()
    building.finish(first)
    second = building.finish(building.start(Limit="0.7"))
    assert second["Measure"]["CacheHitResult"]["SourcePipelineExecutionArn"] == first
    assert len(building.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]) == 1
    building.pipeline(gated(building, quality="0.91", **CACHED), [LIMIT])
    assert "CacheHitResult" not in building.finish(building.start())["Measure"]


def test_an_execution_can_be_stopped(building: Building) -> None:
    building.pipeline([building.measure(code=SLOW), building.measure("After", DependsOn=["Measure"])])
    execution = building.start()
    until(lambda: building.steps(execution).get("Measure", {}).get("Metadata"))
    building.sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)
    steps = building.finish(execution)
    assert building.status(execution) == "Stopped"
    assert {name: step["StepStatus"] for name, step in steps.items()} == {"Measure": "Stopped"}
    with pytest.raises(ClientError, match="cannot be stopped"):
        building.sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)


def test_a_token_starts_once(building: Building) -> None:
    building.pipeline([building.measure()])
    token = "t" * 32
    arns = {
        building.sagemaker.start_pipeline_execution(PipelineName="Pipe", ClientRequestToken=token)[
            "PipelineExecutionArn"
        ]
        for _ in range(2)
    }
    assert len(arns) == 1
    building.finish(arns.pop())
    assert len(building.sagemaker.list_pipeline_executions(PipelineName="Pipe")["PipelineExecutionSummaries"]) == 1


def test_definitions_and_parameters_that_sagemaker_refuses(building: Building) -> None:
    with pytest.raises(ClientError, match="Unable to parse pipeline definition"):
        building.sagemaker.create_pipeline(PipelineName="x", PipelineDefinition="{not json", RoleArn=building.role)
    with pytest.raises(ClientError, match="Duplicate step names: Measure"):
        building.pipeline([building.measure(), building.measure()])
    building.pipeline([building.measure()], [LIMIT, {"Name": "Must", "Type": "String"}])
    with pytest.raises(ClientError, match=r"Unknown parameters \[Other\]"):
        building.start(Other="1", Must="x")
    with pytest.raises(ClientError, match=r"Parameter \[Must\] has no default"):
        building.start()
    with pytest.raises(ClientError, match=r"\[high\] is not of type \[Float\]"):
        building.start(Must="x", Limit="high")
    with pytest.raises(ClientError, match="does not exist"):
        building.start("none")


def test_a_definition_may_lie_in_s3(building: Building) -> None:
    document = json.dumps({"Version": "2020-12-01", "Steps": [building.measure()]})
    building.put("definition.json", document)
    place = {"Bucket": building.bucket, "ObjectKey": "definition.json"}
    building.sagemaker.create_pipeline(PipelineName="FromS3", PipelineDefinitionS3Location=place, RoleArn=building.role)
    assert building.sagemaker.describe_pipeline(PipelineName="FromS3")["PipelineDefinition"] == document
    building.sagemaker.delete_pipeline(PipelineName="FromS3")
    with pytest.raises(ClientError, match="does not exist"):
        building.sagemaker.describe_pipeline(PipelineName="FromS3")


def test_every_change_is_an_event(building: Building) -> None:
    executions = Inbox(building.account, {"detail-type": ["SageMaker Model Building Pipeline Execution Status Change"]})
    steps = Inbox(building.account, {"detail-type": ["SageMaker Model Building Pipeline Execution Step Status Change"]})
    jobs = Inbox(building.account, {"detail-type": ["SageMaker Processing Job State Change"]})
    building.pipeline(gated(building), [LIMIT])
    execution = building.start(Limit="0.95")
    building.finish(execution)
    told = until(lambda: found if len(found := executions.details()) == 2 else None) or []
    assert [event["currentPipelineExecutionStatus"] for event in told] == ["Executing", "Failed"]
    assert told[1].keys() == recorded()["pipeline-execution-failed"]["detail"].keys()
    changes = [(event["stepName"], event["currentStepStatus"]) for event in steps.details()]
    assert changes == [
        ("Measure", "Executing"),
        ("Measure", "Succeeded"),
        ("Gate", "Executing"),
        ("Gate", "Succeeded"),
        ("TooBad", "Executing"),
        ("TooBad", "Failed"),
    ]
    assert [event["ProcessingJobStatus"] for event in jobs.details()] == ["InProgress", "Completed"]


HANDLER = """
    def model_fn(folder): return 2
    def input_fn(body, kind): return [int(line) for line in body.split()]
    def predict_fn(rows, model): return [row * model for row in rows]
    def output_fn(rows, accept): return "".join(f"{row}\\n" for row in rows)
"""


def test_a_transform_job_predicts_what_a_manifest_names(building: Building) -> None:
    uri = building.put("model.tar.gz", packed({"code/inference.py": HANDLER}))
    container = {"Image": "image:1", "ModelDataUrl": uri, "Environment": {"SAGEMAKER_PROGRAM": "inference.py"}}
    building.sagemaker.create_model(ModelName="Doubler", PrimaryContainer=container, ExecutionRoleArn=building.role)
    for name, content in {"a.csv": b"1\n2\n", "b.csv": b"3\n", "c.csv": b"4\n"}.items():
        building.put(f"in/{name}", content)
    manifest = building.put("in.manifest", json.dumps([{"prefix": f"s3://{building.bucket}/in/"}, "a.csv", "b.csv"]))
    source = {"S3DataSource": {"S3DataType": "ManifestFile", "S3Uri": manifest}}
    building.sagemaker.create_transform_job(
        TransformJobName="Nightly",
        ModelName="Doubler",
        TransformInput={"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"s3://{building.bucket}/out", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )

    def job() -> Any:
        return building.sagemaker.describe_transform_job(TransformJobName="Nightly")

    until(lambda: job()["TransformJobStatus"] != "InProgress")
    assert job()["TransformJobStatus"] == "Completed", job()
    listed = building.s3.list_objects_v2(Bucket=building.bucket, Prefix="out/")["Contents"]
    assert [entry["Key"] for entry in listed] == ["out/a.csv.out", "out/b.csv.out"]
    assert building.read(f"s3://{building.bucket}/out/a.csv.out") == b"2\n4\n"
