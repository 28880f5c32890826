"""Small pipeline definitions for the emulator, their code in S3, and executions of them."""

import io
import json
import tarfile
import textwrap
from collections.abc import Sequence
from typing import Any

from kit.tests.waiting import until
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import role

ML = "/opt/ml/processing"
CACHED = {"CacheConfig": {"Enabled": True, "ExpireAfter": "P30D"}}
MEASURE = """
    import json, os, pathlib, sys
    print("measuring", sys.argv[1])
    output = pathlib.Path(os.environ["SM_OUTPUT"])
    (output / "result.json").write_text(json.dumps({"quality": {"value": float(sys.argv[1])}}))
"""
TRAIN = """
    import os, pathlib
    rows = sum(1 for path in pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).iterdir())
    print(f"score={rows / 10}")
    pathlib.Path(os.environ["SM_MODEL_DIR"], "model.txt").write_text("model")
"""
Step = dict[str, Any]


class Building:
    """An account with a bucket, a role, a group and pipelines."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.sagemaker, self.s3 = account.client("sagemaker"), account.client("s3")
        self.bucket = f"{account.id}-build"
        self.s3.create_bucket(Bucket=self.bucket)
        self.role = role(account, "jobs", "sagemaker")
        self.sagemaker.create_model_package_group(ModelPackageGroupName="models")

    def put(self, key: str, content: str | bytes) -> str:
        """An object; its address."""
        body = content if isinstance(content, bytes) else textwrap.dedent(content).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        return f"s3://{self.bucket}/{key}"

    def read(self, uri: str) -> bytes:
        """An object's content."""
        content: bytes = self.s3.get_object(Bucket=self.bucket, Key=uri.removeprefix(f"s3://{self.bucket}/"))[
            "Body"
        ].read()
        return content

    def measure(self, name: str = "Measure", code: str = MEASURE, quality: Any = "0.9", **more: Any) -> Step:
        """A processing step that writes result.json."""
        self.put(f"code/{name}/step.py", code)
        run = {
            "Std:Join": {
                "On": "/",
                "Values": [f"s3://{self.bucket}/runs", {"Get": "Execution.PipelineExecutionId"}, name],
            }
        }
        arguments = {
            "RoleArn": self.role,
            "AppSpecification": {
                "ImageUri": "image:1",
                "ContainerEntrypoint": ["python3", f"{ML}/input/code/step.py"],
                "ContainerArguments": [quality],
            },
            "Environment": {"SM_OUTPUT": f"{ML}/output"},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
            },
            "ProcessingInputs": [_input(f"s3://{self.bucket}/code/{name}")],
            "ProcessingOutputConfig": {"Outputs": [_output(run)]},
        }
        files = [{"PropertyFileName": "Result", "OutputName": "result", "FilePath": "result.json"}]
        return {"Name": name, "Type": "Processing", "Arguments": arguments, "PropertyFiles": files, **more}

    def train(self, data: str) -> Step:
        """A training step in script mode."""
        archive = self.put("code/sourcedir.tar.gz", packed({"train.py": TRAIN}))
        channel = {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": data}}}
        arguments = {
            "RoleArn": self.role,
            "AlgorithmSpecification": {
                "TrainingImage": "image:1",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "score", "Regex": "score=([0-9.]+)"}],
            },
            "HyperParameters": {"sagemaker_program": '"train.py"', "sagemaker_submit_directory": json.dumps(archive)},
            "InputDataConfig": [channel],
            "OutputDataConfig": {"S3OutputPath": f"s3://{self.bucket}/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
        return {"Name": "Train", "Type": "Training", "Arguments": arguments}

    def register(self, data: Any, **more: Any) -> Step:
        """A step that registers a version in the group `models`."""
        specification = {
            "Containers": [{"Image": "image:1", "ModelDataUrl": data}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        }
        arguments = {"ModelPackageGroupName": "models", "InferenceSpecification": specification, **more}
        return {"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}

    def pipeline(self, steps: Sequence[Step], parameters: Sequence[Step] = (), name: str = "Pipe") -> str:
        """Create or update a pipeline; its name."""
        document = json.dumps({"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps)})
        known = [each["PipelineName"] for each in self.sagemaker.list_pipelines()["PipelineSummaries"]]
        call = self.sagemaker.update_pipeline if name in known else self.sagemaker.create_pipeline
        call(PipelineName=name, PipelineDefinition=document, RoleArn=self.role)
        return name

    def start(self, name: str = "Pipe", **parameters: str) -> str:
        """Start an execution; its ARN."""
        given = [{"Name": key, "Value": value} for key, value in parameters.items()]
        answer = self.sagemaker.start_pipeline_execution(PipelineName=name, PipelineParameters=given)
        return str(answer["PipelineExecutionArn"])

    def status(self, execution: str) -> str:
        """The status of an execution."""
        return str(
            self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionStatus"]
        )

    def finish(self, execution: str) -> dict[str, Step]:
        """The steps of an execution that has ended, by name."""
        until(lambda: self.status(execution) in ("Succeeded", "Failed", "Stopped"))
        return self.steps(execution)

    def steps(self, execution: str) -> dict[str, Step]:
        """The steps so far, by name."""
        pages = self.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=execution)
        return {step["StepName"]: step for page in pages for step in page["PipelineExecutionSteps"]}


def condition(name: str, step: str, limit: Any, then: Sequence[Step], otherwise: Sequence[Step]) -> Step:
    """A condition on the quality that a step measured."""
    measured = {"Std:JsonGet": {"PropertyFile": {"Get": f"Steps.{step}.PropertyFiles.Result"}, "Path": "quality.value"}}
    test = {"Type": "GreaterThanOrEqualTo", "LeftValue": measured, "RightValue": limit}
    return {
        "Name": name,
        "Type": "Condition",
        "Arguments": {"Conditions": [test], "IfSteps": list(then), "ElseSteps": list(otherwise)},
    }


def fail(message: Any) -> Step:
    """A step that fails the execution."""
    return {"Name": "TooBad", "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def _input(uri: Any) -> Step:
    source = {"S3Uri": uri, "LocalPath": f"{ML}/input/code", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {"InputName": "code", "S3Input": source}


def _output(uri: Any) -> Step:
    return {"OutputName": "result", "S3Output": {"S3Uri": uri, "LocalPath": f"{ML}/output", "S3UploadMode": "EndOfJob"}}


def packed(files: dict[str, str]) -> bytes:
    """A .tar.gz of these files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            info, body = tarfile.TarInfo(name), textwrap.dedent(text).encode()
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return content.getvalue()
