"""What API Gateway does that ministack does not: its integration with SageMaker's endpoints, as the integration's role.

The role is assumed as API Gateway does it, which tells nobody for whom (senders.toml): one that wants to know is not
assumed, and the caller gets a 500. Templates are ministack's subset, which has no #if: what api.yaml makes of a model's
error is not played here.
"""

import json
import re
from collections.abc import Mapping

from botocore.exceptions import ClientError

from . import seams
from .service import AwsError, client, log

PRINCIPAL = "apigateway.amazonaws.com"
_PATH = re.compile(r":runtime\.sagemaker:path/+endpoints/(?P<name>[^/]+)/invocations")


def _sagemaker(integration: seams.Document, body: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """InvokeEndpoint: status and answer. Raises ApiConfigurationError when the role cannot be assumed."""
    match = _PATH.search(str(integration.get("uri")))
    role = str(integration.get("credentials"))
    if not match:
        return 404, json.dumps({"message": f"Not an endpoint's invocations: {integration.get('uri')}"})
    try:
        runtime = client("sagemaker-runtime", role=role, principal=PRINCIPAL)
        kind, accept = headers.get("content-type", ""), headers.get("accept", "*/*")
        answer = runtime.invoke_endpoint(EndpointName=match["name"], Body=body, ContentType=kind, Accept=accept)
    except AwsError as error:
        log.warning("Execution failed due to configuration error: %s", error)
        raise seams.ApiConfigurationError(str(error)) from None
    except ClientError as error:
        details = {name: error.response.get(name) for name in ("OriginalMessage", "OriginalStatusCode")}
        status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        return status, json.dumps({"Message": str(error), **{key: each for key, each in details.items() if each}})
    return 200, answer["Body"].read().decode("utf-8", "replace")


seams.on_integration("runtime.sagemaker", _sagemaker)
