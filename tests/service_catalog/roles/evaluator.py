"""Requests for evaluate.py, which runs in the emulator's environment: ministack pins what the SDK cannot take."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.infrastructure import stages

_BIN = "Scripts" if os.name == "nt" else "bin"
PYTHON = stages.ROOT / ".venv" / "emulator" / _BIN / "python"
_SCRIPT = Path(__file__).with_name("evaluate.py")


@dataclass(frozen=True)
class Request:
    """Somebody does something on something. `policies` are the caller's, `limits` its boundary and session policies.

    `service` is set if an AWS service asks, which has no policies of its own. `required`: the resource's policy must
    allow its own account's callers as well, as a key's must.
    """

    principal: str
    action: str
    resource: str
    context: Mapping[str, Any] = field(default_factory=dict)
    policies: Sequence[Mapping[str, Any]] = ()
    limits: Sequence[Mapping[str, Any]] = ()
    resource_policy: Mapping[str, Any] | None = None
    has_resource_policy: bool = False
    owner: str = ""
    required: bool = False
    service: str = ""
    region: str = "eu-central-1"

    @property
    def account(self) -> str:
        parts = self.principal.split(":")
        return parts[4] if len(parts) > 4 else ""


def decide(requests: Sequence[Request]) -> list[bool]:
    """Whether each request is allowed."""
    assert PYTHON.exists(), f"the emulator is not installed ({PYTHON} is missing): run `make test`"
    asked = _numbered(requests)
    environment = os.environ | {"PYTHONUTF8": "1", "PYTHONPATH": str(stages.ROOT)}
    done = subprocess.run(
        [str(PYTHON), str(_SCRIPT)], input=asked, capture_output=True, encoding="utf-8", env=environment
    )
    assert done.returncode == 0, done.stderr
    return [decision == "Allow" for decision in json.loads(done.stdout)]


def _numbered(requests: Sequence[Request]) -> str:
    """Each document once: thousands of requests share a few dozen."""
    texts: dict[str, int] = {}

    def number(document: Mapping[str, Any] | None) -> int | None:
        return None if document is None else texts.setdefault(json.dumps(document), len(texts))

    written = [
        {
            **{name: getattr(request, name) for name in _PLAIN},
            "account": request.account,
            "policies": [number(each) for each in request.policies],
            "limits": [number(each) for each in request.limits],
            "resource_policy": number(request.resource_policy),
        }
        for request in requests
    ]
    documents = [json.loads(text) for text in texts]
    return json.dumps({"documents": documents, "requests": written})


_PLAIN = ("principal", "action", "resource", "context", "has_resource_policy", "owner", "required", "service", "region")
