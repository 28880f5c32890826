"""The stage's API, asked once: found by its stack's output, signed with SigV4, as an application calls it.

It changes nothing, and believes neither CloudFormation nor API Gateway that an API which was made also answers.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.httpsession import URLLib3Session

from sagemaker_project_kit.deploy.target import Answer

IAM = "AWS_IAM"


@dataclass(frozen=True)
class Api:
    """Where applications POST rows, and with what they prove who they are (AWS_IAM or COGNITO_USER_POOLS)."""

    url: str
    authorization: str


def find(cloudformation: Any, stack: str) -> Api | None:
    """The API that a stack of api.yaml has made, None if there is no such stack."""
    try:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    outputs, parameters = _pairs(found.get("Outputs", []), "Output"), _pairs(found.get("Parameters", []), "Parameter")
    return Api(outputs["PredictionsUrl"], parameters["ApiAuthorization"])


def _pairs(entries: Iterable[Mapping[str, str]], kind: str) -> dict[str, str]:
    return {entry[f"{kind}Key"]: entry.get(f"{kind}Value", "") for entry in entries}


class ApiTarget:
    """Predictions through an API that takes AWS credentials; one that takes tokens is asked without any.

    `address`: where the SDK reaches execute-api, if that is not AWS but what AWS_ENDPOINT_URL puts in its place.
    """

    def __init__(self, api: Api, session: Any, timeout: float, address: str = "") -> None:
        self._api, self._session, self._address = api, session, address.rstrip("/")
        self._http = URLLib3Session(timeout=timeout)

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        started = time.perf_counter()
        host = urlsplit(self._api.url).netloc
        headers = {"Content-Type": content_type, "Accept": accept, "Host": host}
        request = AWSRequest("POST", self._api.url, headers, body)
        if self._api.authorization == IAM:
            credentials = self._session.get_credentials().get_frozen_credentials()
            SigV4Auth(credentials, "execute-api", self._session.region_name).add_auth(request)
        prepared = request.prepare()
        if self._address:
            prepared.url = prepared.url.replace(f"https://{host}", self._address, 1)
        try:
            response = self._http.send(prepared)
        except BotoCoreError as error:  # no connection, or none in time
            return Answer(0, str(error).encode(), "", time.perf_counter() - started)
        kind = response.headers.get("Content-Type", "")
        return Answer(response.status_code, response.content, kind, time.perf_counter() - started)
