"""Sample events, shaped like those of "SageMaker Model Package State Change" in the SageMaker developer guide."""

from datetime import timedelta
from typing import Any

from kit.tests.deploy.conftest import GROUP, NOON, REGION, TOOLING, arn


def event(
    version: int, status: str, minutes: int = 0, changed: list[str] | None = None, group: str = GROUP
) -> dict[str, Any]:
    """`minutes` after noon; `changed` None leaves UpdatedModelPackageFields out, as older events do."""
    time = f"{NOON + timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
    detail = {
        "ModelPackageGroupName": group,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn(version, group),
        "CreationTime": "2026-11-19T12:00:00Z",
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": status,
        "CertifyForMarketplace": False,
        "LastModifiedTime": time,
    }
    return {
        "version": "0",
        "id": "844e2571-85d4-695f-b930-0153b71dcb42",
        "detail-type": "SageMaker Model Package State Change",
        "source": "aws.sagemaker",
        "account": TOOLING,
        "time": time,
        "region": REGION,
        "resources": [arn(version, group)],
        "detail": detail | ({} if changed is None else {"UpdatedModelPackageFields": changed}),
    }


APPROVAL = ["ModelApprovalStatus", "ApprovalDescription"]
METADATA = ["CustomerMetadataProperties"]
