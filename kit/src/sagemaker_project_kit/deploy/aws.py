"""The clients of the deploy half: the only file here that makes any. Nothing is asked of AWS while they are made.

The registry and S3 belong to the project's account. An endpoint belongs to its stage's account, where a role is assumed
that may look at it and invoke it; it cannot change anything there: CloudFormation does that, under a role of its own.
"""

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from sagemaker_project_kit.deploy.api import Api, ApiTarget
from sagemaker_project_kit.deploy.settings import Settings, Stage

# "standard" backs off from throttling; a load test must see every answer instead, so it never tries twice.
_PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 8}, connect_timeout=5, read_timeout=30)
_SECONDS = 3600


class Clients:
    """Clients of one account."""

    def __init__(self, session: Any) -> None:
        self._session = session

    @cached_property
    def sagemaker(self) -> Any:
        return self._session.client("sagemaker", config=_PATIENT)

    @cached_property
    def s3(self) -> Any:
        return self._session.client("s3", config=_PATIENT)

    @cached_property
    def cloudformation(self) -> Any:
        return self._session.client("cloudformation", config=_PATIENT)

    def api(self, found: Api, timeout: float) -> ApiTarget:
        """For one API. Where AWS_ENDPOINT_URL stands in for AWS, it does so for the API's own address."""
        address = str(self._session.client("apigatewaymanagementapi").meta.endpoint_url)
        is_aws = str(urlsplit(address).hostname).startswith("execute-api.")
        return ApiTarget(found, self._session, timeout, "" if is_aws else address)

    @cached_property
    def quotas(self) -> Any:
        return self._session.client("service-quotas", config=_PATIENT)

    def runtime(self, connections: int, timeout: float) -> Any:
        """For InvokeEndpoint: `connections` at a time, each answer within `timeout` seconds, no second try."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=connections,
            connect_timeout=5,
            read_timeout=timeout,
            tcp_keepalive=True,
        )
        return self._session.client("sagemaker-runtime", config=config)


def project(settings: Settings) -> Clients:
    """Under the role that this program runs with."""
    return Clients(boto3.Session(region_name=settings.region))


def stage(settings: Settings, where: Stage) -> Clients:
    """Under the role that may look at the stage's endpoint, if there is one."""
    session = boto3.Session(region_name=settings.region)
    if not where.verify_role:
        return Clients(session)
    name = f"verify-{settings.project_id}-{where.name}"  # at most 7 + 20 + 1 + 8 of 64
    answer = session.client("sts", config=_PATIENT).assume_role(
        RoleArn=where.verify_role, RoleSessionName=name, DurationSeconds=_SECONDS
    )
    credentials = answer["Credentials"]
    return Clients(
        boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=settings.region,
        )
    )
