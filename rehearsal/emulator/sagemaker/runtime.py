"""SageMaker Runtime: InvokeEndpoint and InvokeEndpointAsync on real servers, with metrics and data capture."""

import contextlib
import json
import re
import threading
import time
from collections.abc import Mapping
from contextvars import copy_context

from botocore.exceptions import ClientError

from rehearsal.emulator.sagemaker import capture, machine, metrics, models, objects, sagemaker, traffic
from rehearsal.emulator.sagemaker.endpointstate import endpoints
from rehearsal.emulator.sagemaker.fleets import Fleet, Reply, Server
from rehearsal.emulator.sagemaker.objects import ObjectError
from rehearsal.emulator.sagemaker.resources import Document
from rehearsal.emulator.seams import Response
from rehearsal.emulator.service import AwsError, HttpRequest, account, client, log, new_id, region, spawn

# Quotas of real-time endpoints: the body of InvokeEndpoint.
_MOST_BYTES = 6 * 1024 * 1024
_PREFIX = "x-amzn-sagemaker-"
_SERVING = ("InService", "Updating", "RollingBack", "SystemUpdating")
_PASSED = ("content-type", "accept", f"{_PREFIX}custom-attributes", f"{_PREFIX}inference-id", f"{_PREFIX}session-id")


@sagemaker.route("POST", r"/endpoints/(?P<name>[^/]+)/invocations")
def invoke_endpoint(request: HttpRequest, match: "re.Match[str]") -> Response:
    """One prediction. A model's error is a ModelError with what the model said."""
    started = time.perf_counter()
    endpoint = _serving(match["name"])
    if len(request.body) > _MOST_BYTES:
        raise AwsError("ValidationError", f"Request size {len(request.body)} is larger than {_MOST_BYTES}", 413)
    if endpoint["Config"].get("AsyncInferenceConfig"):
        raise AwsError("ValidationError", f"Endpoint {match['name']} does not support this inference type.")
    fleet, server = _pick(endpoint, request.headers.get(f"{_PREFIX}target-variant", ""))
    _shadow(endpoint, fleet, request)
    reply = _ask(endpoint, fleet, server, request, started)
    if not 200 <= reply.status < 300:
        return _model_error(endpoint, reply)
    _capture(endpoint, fleet, server, request, reply)
    return 200, _answer_headers(reply, server), reply.body


def _serving(name: str) -> Document:
    endpoint = endpoints.get(name.lower())
    if endpoint is None or endpoint["EndpointStatus"] not in _SERVING:
        raise AwsError("ValidationError", f"Endpoint {name} of account {account()} not found.")
    return endpoint


def _pick(endpoint: Document, wanted: str) -> tuple[Fleet, Server]:
    shadow = {variant["VariantName"] for variant in endpoint["Config"].get("ShadowProductionVariants") or []}
    weights = {name: state["CurrentWeight"] for name, state in endpoint["Variants"].items() if name not in shadow}
    picked = traffic.live(endpoint["EndpointName"]).pick(weights, wanted)
    if picked is None and wanted:
        raise AwsError("ValidationError", f"Could not find variant {wanted} of endpoint {endpoint['EndpointName']}.")
    if picked is None:
        raise AwsError("ServiceUnavailable", "The endpoint has no servers right now.", 503)
    return picked


def _ask(endpoint: Document, fleet: Fleet, server: Server, request: HttpRequest, started: float) -> Reply:
    headers = {name: request.headers[name] for name in _PASSED if name in request.headers}
    asked = time.perf_counter()
    reply = server.ask("POST", "/invocations", request.body, headers)
    answered = time.perf_counter()
    config, seconds = fleet.config["EndpointConfigName"], answered - asked
    metrics.invoked(endpoint["EndpointName"], server.variant, config, reply.status, seconds, asked - started)
    return reply


def _answer_headers(reply: Reply, server: Server) -> dict[str, str]:
    headers = {
        "Content-Type": reply.headers.get("content-type", ""),
        "x-Amzn-Invoked-Production-Variant": server.variant,
    }
    custom = reply.headers.get(f"{_PREFIX}custom-attributes")
    return headers | ({"X-Amzn-SageMaker-Custom-Attributes": custom} if custom else {})


def _model_error(endpoint: Document, reply: Reply) -> Response:
    """In the words of InvokeEndpoint's ModelError."""
    status, text = reply.status or 500, reply.body.decode("utf-8", "replace")
    place = f"/aws/sagemaker/Endpoints/{endpoint['EndpointName']}"
    side = "client" if status < 500 else "server"
    document = {
        "Message": f'Received {side} error ({status}) from primary with message "{text[:1000]}". See '
        f"CloudWatch Logs group "
        f"{place} in account {account()} for more information.",
        "OriginalMessage": text[:1000],
        "OriginalStatusCode": status,
        "LogStreamArn": f"arn:aws:logs:{region()}:{account()}:log-group:{place}",
    }
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError"}
    return 424, headers, json.dumps(document).encode()


def _capture(endpoint: Document, fleet: Fleet, server: Server, request: HttpRequest, reply: Reply) -> None:
    sides = (request.headers.get("content-type", ""), request.body), (reply.headers.get("content-type", ""), reply.body)
    identifier = request.headers.get(f"{_PREFIX}inference-id", "")
    role = _role(fleet, server.variant)
    capture.keep(fleet.config, endpoint["EndpointName"], server.variant, role, *sides, identifier)


def _role(fleet: Fleet, variant: str) -> str:
    (name,) = [entry["ModelName"] for entry in _variants(fleet) if entry["VariantName"] == variant]
    return str(models.find(name)["ExecutionRoleArn"])


def _variants(fleet: Fleet) -> list[Mapping[str, str]]:
    return [*fleet.config["ProductionVariants"], *(fleet.config.get("ShadowProductionVariants") or [])]


def _shadow(endpoint: Document, fleet: Fleet, request: HttpRequest) -> None:
    """A copy for each shadow variant, whose answer nobody sees."""
    for variant in fleet.config.get("ShadowProductionVariants") or []:
        server = fleet.servers.get(variant["VariantName"])
        if server:
            context = copy_context()
            arguments = (_ask, endpoint, fleet, server, request, time.perf_counter())
            threading.Thread(target=context.run, args=arguments, daemon=True).start()


# Asynchronous: the request lies in S3, the answer is put there, or what went wrong beside it


@sagemaker.route("POST", r"/endpoints/(?P<name>[^/]+)/async-invocations")
def invoke_endpoint_async(request: HttpRequest, match: "re.Match[str]") -> Response:
    """Accept a request; it is answered in the background with the role of the model."""
    endpoint = _serving(match["name"])
    settings = endpoint["Config"].get("AsyncInferenceConfig")
    if not settings:
        raise AwsError("ValidationError", f"Endpoint {match['name']} does not support this inference type.")
    source = request.headers.get(f"{_PREFIX}inputlocation", "")
    identifier = request.headers.get(f"{_PREFIX}inference-id") or new_id(length=32)
    output = f"{settings['OutputConfig']['S3OutputPath'].rstrip('/')}/{identifier}.out"
    failures = settings["OutputConfig"].get("S3FailurePath")
    failure = f"{failures.rstrip('/')}/{identifier}-error.out" if failures else ""
    spawn(_answer_later, endpoint, request, source, output, failure)
    headers = {"Content-Type": "application/json", "X-Amzn-SageMaker-OutputLocation": output}
    headers |= {"X-Amzn-SageMaker-FailureLocation": failure} if failure else {}
    return 202, headers, json.dumps({"InferenceId": identifier}).encode()


def _answer_later(endpoint: Document, request: HttpRequest, source: str, output: str, failure: str) -> None:
    fleet, server = _pick(endpoint, "")
    s3 = client("s3", role=_role(fleet, server.variant), principal=machine.PRINCIPAL)
    try:
        bucket, key = objects.split(source)
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        asked = HttpRequest(request.method, request.path, request.headers, body, request.query)
        reply = _ask(endpoint, fleet, server, asked, time.perf_counter())
    except (ClientError, ObjectError) as error:
        reply = Reply(400, {}, str(error).encode())
    target = output if 200 <= reply.status < 300 else failure
    key_id = endpoint["Config"]["AsyncInferenceConfig"]["OutputConfig"].get("KmsKeyId")
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id} if key_id else {}
    with contextlib.suppress(ObjectError):  # without a S3FailurePath a failure leaves nothing
        bucket, key = objects.split(target)
        s3.put_object(Bucket=bucket, Key=key, Body=reply.body, **encryption)
    if not target:
        log.warning("endpoint=%s async failure without S3FailurePath", endpoint["EndpointName"])
