"""A build's output on its way to CloudWatch Logs, with the credentials of the service role."""

import threading
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

_PAUSE_SECONDS = 0.5
# PutLogEvents takes 10,000 events and 1 MB at a time, 26 bytes of which each event costs besides its text.
_MOST_EVENTS, _MOST_BYTES, _EVENT_BYTES = 10_000, 1_000_000, 26
_LONGEST_LINE = 250_000


class Shipper:
    """Sends what is appended to a file to a log stream, until closed."""

    def __init__(self, file: Path, client: Any, group: str, stream: str) -> None:
        """Make the stream, and the group if there is none. Raises ClientError if the role may not."""
        self._file, self._client = file, client
        self._place = {"logGroupName": group, "logStreamName": stream}
        self._position = 0
        self._closing = threading.Event()
        self.error = ""
        self._create()
        self._thread = threading.Thread(target=self._run, daemon=True, name="log")
        self._thread.start()

    def _create(self) -> None:
        try:
            self._client.create_log_stream(**self._place)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceAlreadyExistsException":
                return
            if code != "ResourceNotFoundException":
                raise
            self._client.create_log_group(logGroupName=self._place["logGroupName"])
            self._client.create_log_stream(**self._place)

    def _run(self) -> None:
        while not self._closing.wait(_PAUSE_SECONDS):
            self._send()
        self._send()

    def close(self) -> None:
        """Send the rest."""
        self._closing.set()
        self._thread.join()

    def _send(self) -> None:
        lines = self._new_lines()
        while lines and not self.error:
            batch: list[str] = []
            size = 0
            while lines and len(batch) < _MOST_EVENTS and size + len(lines[0].encode()) + _EVENT_BYTES < _MOST_BYTES:
                size += len(lines[0].encode()) + _EVENT_BYTES
                batch.append(lines.pop(0))
            self._put(batch)

    def _new_lines(self) -> list[str]:
        with self._file.open("rb") as file:
            file.seek(self._position)
            content = file.read()
        end = len(content) if self._closing.is_set() else content.rfind(b"\n") + 1
        self._position += end
        text = content[:end].decode("utf-8", "replace")
        return [line[:_LONGEST_LINE] for line in text.splitlines() if line.strip()]

    def _put(self, lines: list[str]) -> None:
        moment = int(time.time() * 1000)
        events = [{"timestamp": moment, "message": line} for line in lines]
        try:
            self._client.put_log_events(**self._place, logEvents=events)
        except ClientError as error:
            self.error = str(error)
