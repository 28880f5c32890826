"""The SageMaker SDK (v3) made offline, quick and deterministic; only what makes steps uses it beside this.

Left alone, SDK 3.27 looks up the account and credentials, probes the bucket, simulates the role's policies, validates
its own configuration hundreds of times (28 s instead of 3 s) and reports telemetry, all while a definition is written.
"""

import functools
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from botocore import loaders
from botocore import session as sessions

from sagemaker_project_kit.pipeline.tables import LOCAL_ACCOUNT

OFFLINE = {
    "SAGEMAKER_VALIDATE_ROLE": "false",  # else every trainer and model asks IAM what the role may do
    "AWS_EC2_METADATA_DISABLED": "true",  # the SDK opens sessions of its own, which look for credentials
    "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
}
# Its dozen clients, and the next definition of the same process, read the same API models: once. Both of these
# modules hold a name for what makes a loader, so that a patch of the first alone misses what is imported already.
_LOADING = (loaders, sessions)
_shared_loader = functools.cache(loaders.create_loader)
# What the SDK is about to take away from pipeline.py or from the kit is said where it is used; the kit's tests take
# "error", so that the next deprecation is seen before the SDK's next version.
DEPRECATIONS: Literal["default", "error"] = "default"
OURS = r"(sagemaker_project_kit|model_build)(\.|$)"
QUIET = {"SchemaVersion": "1.0", "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}}


@contextmanager
def offline() -> Iterator[None]:
    """Import and use the SDK inside this: it makes no call, and says only what it will take away from us.

    Afterwards everything is as it was.
    """
    before = {name: os.environ.get(name) for name in OFFLINE}
    os.environ.update(OFFLINE)
    disabled, create_loader = logging.root.manager.disable, loaders.create_loader
    logging.disable(logging.WARNING)  # the SDK narrates every call, and resets the levels of its own loggers
    _load_with(_shared_loader)
    try:
        with warnings.catch_warnings(action="ignore"):
            for category in (DeprecationWarning, FutureWarning):
                warnings.filterwarnings(DEPRECATIONS, category=category, module=OURS)
            yield
    finally:
        _load_with(create_loader)
        logging.disable(disabled)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _load_with(create_loader: Callable[..., Any]) -> None:
    for module in _LOADING:
        module.create_loader = create_loader


def offline_session(bucket: str, region: str) -> Any:
    """A pipeline session for `bucket` in `region` that never calls AWS: objects are uploaded elsewhere."""
    import boto3
    from sagemaker.core.config.config_manager import SageMakerConfig
    from sagemaker.core.helper import session_helper
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    SageMakerConfig.validate_sagemaker_config = staticmethod(_trust_configuration)
    session_helper.validate_sagemaker_config = _trust_configuration
    keys = {"aws_access_key_id": "offline", "aws_secret_access_key": "offline"}
    boto_session = boto3.Session(region_name=region, **keys)
    session = PipelineSession(boto_session=boto_session, default_bucket=bucket, sagemaker_config=QUIET)
    session.default_bucket = lambda: bucket
    session.account_id = lambda: LOCAL_ACCOUNT
    session.upload_data = session.upload_string_as_file_body = _refuse_upload
    return session


def _trust_configuration(_configuration: object = None) -> None:
    """Stands in for the SDK's JSON-schema validation, which takes ten times as long as the synthesis itself."""


def _refuse_upload(path: str, *_: Any, **__: Any) -> str:
    """Code and data are staged under their content hash before the definition is written."""
    raise RuntimeError(
        f"the SDK wanted to upload {path}: stage it in staging.py, or the definition changes with every synthesis"
    )
