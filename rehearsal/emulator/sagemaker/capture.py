"""Data capture: requests and answers as JSON Lines in S3, in Model Monitor's format, written as the model's role.

Source: "Capture data from real-time endpoint" in the developer guide. SageMaker writes a file after a minute or so;
here that minute passes as fast as all other waits.
"""

import base64
import json
import random
import threading
import time
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import seams
from rehearsal.emulator.sagemaker import machine
from rehearsal.emulator.sagemaker.resources import Document
from rehearsal.emulator.service import AwsError, account, client, log, new_id, region

_FLUSH_SECONDS, _SOONEST = 60.0, 0.3
_lock = threading.Lock()
# (account, region, endpoint, variant, role) → configuration and lines that wait to be written
_waiting: dict[tuple[str, ...], tuple[Document, list[str]]] = {}
_timers: set[tuple[str, ...]] = set()


def keep(
    config: Document,
    endpoint: str,
    variant: str,
    role: str,
    request: tuple[str, bytes],
    answer: tuple[str, bytes],
    inference_id: str,
) -> None:
    """Keep one exchange (content type and body of both sides), unless sampling leaves it out."""
    settings = config.get("DataCaptureConfig") or {}
    if not settings.get("EnableCapture") or random.random() * 100 >= settings["InitialSamplingPercentage"]:  # noqa: S311
        return
    line = json.dumps(record(settings, request, answer, inference_id), separators=(",", ":"))
    place = (account(), region(), endpoint, variant, role)
    with _lock:
        _waiting.setdefault(place, (settings, []))[1].append(line)
        if place in _timers:
            return
        _timers.add(place)
    timer = threading.Timer(max(_SOONEST, _FLUSH_SECONDS / machine.pace()), _flush, (place,))
    timer.daemon = True
    timer.start()


def record(settings: Document, request: tuple[str, bytes], answer: tuple[str, bytes], inference_id: str) -> Document:
    """One line, event version 0."""
    modes = {option["CaptureMode"] for option in settings["CaptureOptions"]}
    modes |= {"Input", "Output"} if "InputAndOutput" in modes else set()
    sides = {"Input": ("endpointInput", request), "Output": ("endpointOutput", answer)}
    data = {name: _side(settings, mode, *side) for mode, (name, side) in sides.items() if mode in modes}
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    metadata = {"eventId": _uuid(), "inferenceTime": moment}
    if inference_id:
        metadata["inferenceId"] = inference_id
    return {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}


def _uuid() -> str:
    text = new_id(length=32)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _side(settings: Document, mode: str, kind: str, body: bytes) -> Mapping[str, Any]:
    encoding = _encoding(settings.get("CaptureContentTypeHeader") or {}, kind)
    try:
        data = body.decode() if encoding != "BASE64" else base64.b64encode(body).decode()
    except UnicodeDecodeError:
        encoding, data = "BASE64", base64.b64encode(body).decode()
    return {"observedContentType": kind, "mode": mode.upper(), "data": data, "encoding": encoding}


def _encoding(header: Document, kind: str) -> str:
    plain = kind.partition(";")[0].strip().lower()
    if plain in [entry.lower() for entry in header.get("CsvContentTypes") or []]:
        return "CSV"
    return "JSON" if plain in [entry.lower() for entry in header.get("JsonContentTypes") or []] else "BASE64"


def _flush(place: tuple[str, ...]) -> None:
    """Write what waits for one variant into one file."""
    own_account, own_region, endpoint, variant, role = place
    with _lock:
        settings, lines = _waiting.pop(place)
        _timers.discard(place)
    moment = time.gmtime()
    folder = f"{settings['DestinationS3Uri'].rstrip('/')}/{endpoint}/{variant}/{time.strftime('%Y/%m/%d/%H', moment)}"
    bucket, _, key = f"{folder}/{time.strftime('%M-%S', moment)}-000-{_uuid()}.jsonl".removeprefix("s3://").partition(
        "/"
    )
    encryption = (
        {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings["KmsKeyId"]} if settings.get("KmsKeyId") else {}
    )
    with seams.scope(own_account, own_region):
        try:
            s3 = client("s3", role=role, principal=machine.PRINCIPAL)
            s3.put_object(Bucket=bucket, Key=key, Body="".join(f"{line}\n" for line in lines).encode(), **encryption)
        except (ClientError, AwsError) as error:  # a capture that fails does not fail the prediction, as on AWS
            log.warning("endpoint=%s capture=%s", endpoint, error)
