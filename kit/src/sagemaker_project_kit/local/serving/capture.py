"""Data capture as SageMaker endpoints do it: each successful request is one JSON line for Model Monitor to read.

Format: "Capture data from real-time endpoint" in the SageMaker developer guide. Files are
<folder>/<endpoint>/<variant>/yyyy/mm/dd/hh/<minute>-<second>-<unique>.jsonl, in UTC. A disk that fails does not fail
the prediction; that is logged once.
"""

import base64
import errno
import json
import logging
import os
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path

_LOG = logging.getLogger(__name__)
# CaptureContentTypeHeader: what is kept as text. Everything else is kept in base64.
_ENCODINGS = {"text/csv": "CSV", "application/json": "JSON", "application/jsonlines": "JSON"}


@dataclass(frozen=True)
class Body:
    """The body of a request or response and its content type."""

    data: bytes
    content_type: str


class Capture:
    """Appends records below `folder`; one file an hour and process."""

    def __init__(self, folder: Path, endpoint: str, variant: str = "AllTraffic", percentage: float = 100) -> None:
        self._base = folder / endpoint / variant
        self._percentage = percentage
        self._hour = ""
        self._file: FileIO | None = None
        self._failed = False

    def write(self, request: Body, response: Body, inference_id: str = "") -> None:
        """Append one record, unless sampling leaves it out or the disk fails."""
        if random.random() * 100 >= self._percentage:  # noqa: S311 - sampling, not a secret
            return
        line = json.dumps(record(request, response, inference_id), separators=(",", ":"))
        try:
            self._append(line.encode() + b"\n")
        except OSError as error:
            self._report(error)

    def _append(self, line: bytes) -> None:
        """Write a whole line or none: a part that a full disk let through is taken back."""
        file = self._current()
        end = file.seek(0, os.SEEK_END)
        try:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(end)
            raise

    def _current(self) -> FileIO:
        moment = datetime.now(UTC)
        hour = moment.strftime("%Y/%m/%d/%H")
        if self._file is None or hour != self._hour:
            self.close()
            path = self._base / hour / f"{moment:%M-%S}-{uuid.uuid4()}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
            self._hour = hour
        return self._file

    def _report(self, error: OSError) -> None:
        if not self._failed:
            _LOG.error("capture_failed reason=%r folder=%s", error.strerror, self._base)
        self._failed = True

    def close(self) -> None:
        """Close the present file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def record(request: Body, response: Body, inference_id: str = "") -> dict[str, object]:
    """One captured request in Model Monitor's format, event version 0."""
    metadata = {"eventId": str(uuid.uuid4()), "inferenceTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    return {
        "captureData": {"endpointInput": _side(request, "INPUT"), "endpointOutput": _side(response, "OUTPUT")},
        "eventMetadata": metadata | ({"inferenceId": inference_id} if inference_id else {}),
        "eventVersion": "0",
    }


def _side(body: Body, mode: str) -> dict[str, str]:
    encoding = _ENCODINGS.get(body.content_type.partition(";")[0].strip().lower(), "BASE64")
    try:
        data = body.data.decode("utf-8") if encoding != "BASE64" else ""
    except UnicodeDecodeError:
        encoding = "BASE64"
    if encoding == "BASE64":
        data = base64.b64encode(body.data).decode("ascii")
    return {"observedContentType": body.content_type, "mode": mode, "data": data, "encoding": encoding}
