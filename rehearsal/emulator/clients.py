"""Who calls, and calls to this emulator with the credentials of whoever would make them on AWS."""

import functools
import os
import threading
import time
import uuid
from typing import Any

import boto3
from botocore.config import Config

from . import delays, seams
from .seams import account, region

_making_clients = threading.Lock()
_sessions: dict[tuple[str, str | None, str], tuple[float, tuple[str, str, str]]] = {}
SESSION_SECONDS = 12 * 3600


class AwsError(Exception):
    """What an AWS API answers instead of a result: its exception's name, a message, the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def address() -> str:
    """The URL of this emulator."""
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"


def caller() -> str:
    """The ARN of the principal whose call is being served: an assumed role's, or the root's of the account."""
    session = seams.session(seams.caller_key.get())
    return str(session["Arn"]) if session else f"arn:aws:iam::{account()}:root"


def role_of(principal: str) -> str | None:
    """The ARN of the role behind an assumed role's ARN, None for a root or a role that is gone."""
    if ":assumed-role/" not in principal:
        return None
    return seams.role_arn(principal.split(":")[4], principal.split("/")[1])


def client(
    service: str,
    *,
    role: str | None = None,
    account: str | None = None,
    region: str | None = None,
    principal: str | None = None,
    source: str = "",
) -> Any:
    """A boto3 client to this emulator, as the account's root or, with `role`, with credentials of that role.

    `principal` is the service that assumes the role (`codebuild.amazonaws.com`): where permissions are enforced, the
    role's trust policy must name it and `source`, the ARN of the resource for which the service acts. Raises AwsError
    AccessDenied when the role does not exist or does not trust it.
    """
    own = (account or seams.account(), "rehearsal", None)
    key, secret, token = own if role is None else assume(role, principal, source)
    return _client(service, key, secret, token, region or seams.region(), address())


def client_with(service: str, credentials: tuple[str, str, str | None], region: str) -> Any:
    """A boto3 client to this emulator with an access key, a secret and a session token."""
    return _client(service, *credentials, region, address())


def caller_client(service: str) -> Any:
    """A client with the credentials of the call being served, for what AWS does on its caller's behalf."""
    key = seams.caller_key.get() or account()
    session = seams.session(key) or {"SecretAccessKey": "rehearsal", "SessionToken": None}
    return _client(service, key, session["SecretAccessKey"], session["SessionToken"], region(), address())


def assume(role: str, principal: str | None = None, source: str = "") -> tuple[str, str, str]:
    """Access key, secret and session token of a role, as `principal` gets them; see client."""
    known = _sessions.get((role, principal, source))
    if known and known[0] > time.monotonic() and seams.session(known[1][0]):
        return known[1]
    if seams.enforced():
        _require_trust(role, principal, source)
    credentials = _new_session(role, (principal or "rehearsal").split(".")[0])
    _sessions[role, principal, source] = time.monotonic() + SESSION_SECONDS / 2, credentials
    return credentials


def _require_trust(role: str, principal: str | None, source: str) -> None:
    record = seams.role(role)
    trust = record and delays.in_force("roles", principal or "*", role, record["AssumeRolePolicyDocument"])
    if trust is None:
        raise AwsError("AccessDenied", f"{role} cannot be assumed: there is no such role, or not yet.", 403)
    if principal and not seams.trusts_service(role, trust, principal, source):
        raise AwsError(
            "AccessDenied", f"{principal} is not authorized to perform: sts:AssumeRole on resource: {role}", 403
        )


def _new_session(role: str, name: str) -> tuple[str, str, str]:
    key, secret, token = f"ASIA{uuid.uuid4().hex[:16].upper()}", uuid.uuid4().hex, uuid.uuid4().hex
    role_account, role_name = role.split(":")[4], role.rsplit("/", 1)[-1]
    seams.register_session(
        key,
        {
            "Arn": f"arn:aws:sts::{role_account}:assumed-role/{role_name}/{name}",
            "UserId": f"AROA{role_name[:17].upper()}:{name}",
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": time.time() + SESSION_SECONDS,
            "AccountId": role_account,
            "PrincipalType": "AssumedRole",
            "SessionTags": [],
            "SessionPolicies": None,
        },
    )
    return key, secret, token


@functools.cache
def _session() -> Any:
    """One for all clients: it reads each service's model once."""
    return boto3.session.Session()


@functools.lru_cache(maxsize=128)  # each keeps connections open: files of this process, of which it may have few
def _client(service: str, key: str, secret: str, token: str | None, region_name: str, url: str) -> Any:
    with _making_clients:
        return _session().client(
            service,
            region_name=region_name,
            endpoint_url=url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(
                s3={"addressing_style": "path"},
                retries={"max_attempts": 0},
                inject_host_prefix=False,
                max_pool_connections=32,
                read_timeout=600,  # faults.py may hold a call for as long as a build takes on a busy machine
            ),
        )
