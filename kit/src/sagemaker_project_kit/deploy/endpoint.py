"""What an endpoint is doing now: its status, the model packages behind its variants, its instances, its data capture.

CloudFormation reports a deployment that SageMaker rolled back by itself as done in some cases, so verify believes only
what the endpoint itself says. Nothing here changes an endpoint.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from sagemaker_project_kit.deploy.errors import EndpointError

CHAMPION = "AllTraffic"  # the variant of the released model; endpoint.yaml keeps this name for ever
IN_SERVICE = "InService"
CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
BROKEN = ("Failed", "UpdateRollbackFailed")
POLL_SECONDS = 15.0


@dataclass(frozen=True)
class Variant:
    """A production variant: the package its model was made from, and its instances (empty if serverless)."""

    name: str
    package_arn: str
    model_data: str
    instance_type: str


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as DescribeEndpoint, DescribeEndpointConfig and DescribeModel tell."""

    name: str
    status: str
    reason: str
    config: str
    variants: Mapping[str, Variant]
    is_async: bool = False
    capture_uri: str = ""
    capture_percent: int = 0
    async_output: Mapping[str, Any] = field(default_factory=dict)

    @property
    def champion(self) -> Variant | None:
        return self.variants.get(CHAMPION)


def find(sagemaker: Any, name: str) -> Endpoint | None:
    """The endpoint, or None if there is none of that name."""
    try:
        live = sagemaker.describe_endpoint(EndpointName=name)
    except ClientError as error:
        if not _is_missing(error):
            raise
        return None
    config_name = live.get("EndpointConfigName", "")
    config = _config(sagemaker, config_name) if config_name else {}
    capture = live.get("DataCaptureConfig") or {}
    return Endpoint(
        name=name,
        status=live["EndpointStatus"],
        reason=live.get("FailureReason", ""),
        config=config_name,
        variants={entry["VariantName"]: _variant(sagemaker, entry) for entry in config.get("ProductionVariants", [])},
        is_async="AsyncInferenceConfig" in config,
        capture_uri=capture.get("DestinationS3Uri", "") if capture.get("EnableCapture") else "",
        capture_percent=int(capture.get("CurrentSamplingPercentage", 0)),
        async_output=(config.get("AsyncInferenceConfig") or {}).get("OutputConfig") or {},
    )


def _config(sagemaker: Any, name: str) -> Mapping[str, Any]:
    try:
        return dict(sagemaker.describe_endpoint_config(EndpointConfigName=name))
    except ClientError as error:
        if not _is_missing(error):
            raise
        return {}


def _variant(sagemaker: Any, entry: Mapping[str, Any]) -> Variant:
    model = sagemaker.describe_model(ModelName=entry["ModelName"]) if entry.get("ModelName") else {}
    container: Mapping[str, Any] = model.get("PrimaryContainer") or next(iter(model.get("Containers") or []), {})
    return Variant(
        name=entry["VariantName"],
        package_arn=container.get("ModelPackageName", ""),
        model_data=container.get("ModelDataUrl", ""),
        instance_type=entry.get("InstanceType", ""),
    )


def require_idle(endpoint: Endpoint | None) -> None:
    """Refuse to release onto an endpoint that is being changed, or that cannot be. Raises EndpointError."""
    if endpoint is None:
        return
    if endpoint.status in CHANGING:
        raise EndpointError(
            f"endpoint {endpoint.name} is {endpoint.status} right now: wait until it is {IN_SERVICE} and release again"
        )
    if endpoint.status in BROKEN:
        raise EndpointError(
            f"endpoint {endpoint.name} is {endpoint.status} and takes no update ({_reason(endpoint)}): delete its "
            "stack, or update the endpoint to a configuration that works, and release again"
        )


def wait(
    sagemaker: Any,
    name: str,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Endpoint:
    """The endpoint once nothing changes it any more. Raises EndpointError if that takes longer, or there is none."""
    end = clock() + seconds
    while True:
        endpoint = find(sagemaker, name)
        if endpoint is None:
            raise EndpointError(f"there is no endpoint {name}: the stage was not deployed, or was deleted since")
        if endpoint.status not in CHANGING:
            return endpoint
        if clock() >= end:
            raise EndpointError(f"endpoint {name} is still {endpoint.status} after {seconds:g} s")
        sleep(POLL_SECONDS)


def require_released(endpoint: Endpoint, package_arn: str, model_data: str) -> Variant:
    """The variant that runs the released package. Raises EndpointError for a failure or a silent rollback."""
    if endpoint.status != IN_SERVICE:
        raise EndpointError(f"endpoint {endpoint.name} is {endpoint.status}: {_reason(endpoint)}")
    champion = endpoint.champion
    if champion and package_arn == champion.package_arn:
        return champion
    # A model that was made of a package's files instead of the package tells those only.
    if champion and not champion.package_arn and champion.model_data == model_data:
        return champion
    found = (champion.package_arn or champion.model_data) if champion else f"no variant {CHAMPION}"
    raise EndpointError(
        f"endpoint {endpoint.name} is {IN_SERVICE} but runs {found} instead of the released {package_arn}: the "
        f"deployment was rolled back ({_reason(endpoint)}; configuration {endpoint.config})"
    )


def _reason(endpoint: Endpoint) -> str:
    return f"FailureReason: {endpoint.reason}" if endpoint.reason else "SageMaker gives no FailureReason"


def _is_missing(error: ClientError) -> bool:
    """DescribeEndpoint answers ValidationException "Could not find endpoint …" for one that does not exist."""
    details = error.response.get("Error", {})
    return (
        details.get("Code") in ("ResourceNotFound", "ValidationException")
        and "could not find" in str(details.get("Message", "")).lower()
    )
