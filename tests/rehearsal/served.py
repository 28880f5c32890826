"""Tiny models that the emulator can serve, in an account with a bucket and a role, for tests of endpoints."""

import io
import json
import tarfile
import textwrap
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kit.tests.waiting import until
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import role

GOOD = """
    async def app(scope, receive, send):
        body = (await receive()).get("body", b"")
        status, answer = (400, b"no number") if body == b"x" else (200, body * 2)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/csv")]})
        await send({"type": "http.response.body", "body": answer})
"""
BAD = """
    async def app(scope, receive, send):
        status = 200 if scope["path"] == "/ping" else 500
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"it broke"})
"""
BROKEN = "raise RuntimeError('the model cannot be loaded')"


def archive(app: str) -> bytes:
    """A model.tar.gz whose code/app.py is this."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        info, text = tarfile.TarInfo("code/app.py"), textwrap.dedent(app).encode()
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return content.getvalue()


@dataclass
class Hosting:
    """An account to serve models in."""

    account: Account
    bucket: str = ""
    role: str = ""

    def __post_init__(self) -> None:
        self.bucket = f"{self.account.id}-models"
        self.account.client("s3").create_bucket(Bucket=self.bucket)
        self.role = role(self.account, "endpoint", "sagemaker")
        self.sagemaker.create_model_package_group(ModelPackageGroupName="models")

    @property
    def sagemaker(self) -> Any:
        return self.account.client("sagemaker")

    def package(self, app: str) -> str:
        """An approved model package of a model; its ARN."""
        uri = f"s3://{self.bucket}/{uuid.uuid4().hex}/model.tar.gz"
        key = uri.removeprefix(f"s3://{self.bucket}/")
        self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=archive(app))
        specification = {
            "Containers": [{"Image": "image:1", "ModelDataUrl": uri}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        }
        answer = self.sagemaker.create_model_package(
            ModelPackageGroupName="models", InferenceSpecification=specification, ModelApprovalStatus="Approved"
        )
        return str(answer["ModelPackageArn"])

    def config(self, name: str, app: str, count: int = 2, **more: Any) -> str:
        """An endpoint configuration with one variant of a new model; its name."""
        self.sagemaker.create_model(
            ModelName=name, PrimaryContainer={"ModelPackageName": self.package(app)}, ExecutionRoleArn=self.role
        )
        variant = {
            "VariantName": "AllTraffic",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": count,
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)
        return name

    def capture(self) -> dict[str, Any]:
        """A DataCaptureConfig that keeps everything."""
        return {
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": f"s3://{self.bucket}/datacapture",
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        }

    def settled(self, endpoint: str) -> dict[str, Any]:
        """An endpoint once nothing changes it any more."""
        busy = ("Creating", "Updating", "RollingBack")

        def look() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=endpoint)
            return None if shown["EndpointStatus"] in busy else shown

        return until(look) or {}

    def endpoint(self, name: str, config: str) -> dict[str, Any]:
        """A new endpoint in service."""
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        return self.settled(name)

    def invoke(self, name: str, body: bytes = b"1", **more: str) -> Mapping[str, Any]:
        """One prediction: status, body and variant."""
        answer = self.account.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body=body, ContentType="text/csv", Accept="text/csv", **more
        )
        return {
            "body": answer["Body"].read(),
            "variant": answer["InvokedProductionVariant"],
            "type": answer["ContentType"],
        }

    def objects(self, prefix: str) -> list[str]:
        """The keys below a prefix."""
        found = self.account.client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def lines(self, key: str) -> list[dict[str, Any]]:
        """A JSON Lines object."""
        body = self.account.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return [json.loads(line) for line in body.splitlines()]
