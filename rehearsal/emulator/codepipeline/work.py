"""What an action has to work with: its resolved configuration, artifacts, and clients of the role that it runs under.

Without a role of its own, an action runs under the pipeline's; with one, the pipeline's role assumes that, in whatever
account it is. Artifacts lie in the pipeline's bucket under <pipeline, 20 characters>/<artifact, 10>/<7 of chance>.
"""

import io
import secrets
import string
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.emulator import permissions, seams
from rehearsal.emulator.clients import client_with
from rehearsal.emulator.codepipeline import gates
from rehearsal.emulator.codepipeline.executions import ActionRun, Artifact, Execution
from rehearsal.emulator.service import client, region

PRINCIPAL = "codepipeline.amazonaws.com"
_CHANCE = string.ascii_letters + string.digits


class ActionFailedError(Exception):
    """An action cannot succeed: CodePipeline's error code and a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class AbandonedError(Exception):
    """The execution ended while the action was under way."""


@dataclass
class Identity:
    """Whom the calls of an action are made as."""

    pipeline_role: str
    action_role: str = ""
    session: str = "codepipeline"
    source: str = ""
    _credentials: tuple[str, str, str] | None = field(default=None, repr=False)

    def client(self, service: str) -> Any:
        """A client under the action's role. Raises ActionFailedError if it cannot be assumed."""
        if not self.action_role:
            return client(service, role=self.pipeline_role, principal=PRINCIPAL, source=self.source)
        if self._credentials is None:
            self._credentials = self._assume()
        return client_with(service, self._credentials, region())

    def _assume(self) -> tuple[str, str, str]:
        sts = client("sts", role=self.pipeline_role, principal=PRINCIPAL, source=self.source)
        try:
            given = sts.assume_role(RoleArn=self.action_role, RoleSessionName=self.session[:64])["Credentials"]
        except ClientError as error:
            text = f"The role {self.pipeline_role} is not authorized to perform AssumeRole on role {self.action_role}"
            raise ActionFailedError("PermissionError", f"{text}: {error.response['Error']['Message']}") from error
        return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


@dataclass
class Work:
    """One run of an action."""

    execution: Execution
    run: ActionRun
    identity: Identity

    @property
    def configuration(self) -> Mapping[str, str]:
        return self.run.configuration

    def client(self, service: str) -> Any:
        """A client under the action's role."""
        return self.identity.client(service)

    def require(self, action: str, resource: str, keys: Mapping[str, str]) -> None:
        """Raise ActionFailedError unless the action's role may do what no API call here stands for."""
        if not seams.enforced():
            return
        own = self.identity.action_role
        role, principal = (own, None) if own else (self.identity.pipeline_role, PRINCIPAL)
        try:
            permissions.require(role, action, resource, keys, principal, self.identity.source)
        except permissions.PermissionMissingError as error:
            raise ActionFailedError("PermissionError", str(error)) from None

    def setting(self, name: str) -> str:
        """A setting that must be there. Raises ActionFailedError."""
        value = self.configuration.get(name, "")
        if not value:
            raise ActionFailedError("ConfigurationError", f"The action's configuration has no {name}")
        return value

    def artifact(self, name: str) -> Artifact:
        """An input artifact. Raises ActionFailedError."""
        for artifact in self.run.inputs:
            if artifact.name == name:
                return artifact
        raise ActionFailedError("ConfigurationError", f"The action has no input artifact {name}")

    def read(self, reference: str) -> bytes:
        """A file of an input artifact: Name::path/in/it. Raises ActionFailedError."""
        name, _, path = reference.partition("::")
        artifact = self.artifact(name)
        content = self.client("s3").get_object(Bucket=artifact.bucket, Key=artifact.key)["Body"].read()
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                return archive.read(path)
        except KeyError:
            raise ActionFailedError(
                "ConfigurationError", f"File [{path}] does not exist in artifact [{name}]"
            ) from None

    def allocate(self, name: str) -> Artifact:
        """A place for an output artifact."""
        chance = "".join(secrets.choice(_CHANCE) for _ in range(7))
        pipeline = self.execution.pipeline
        return Artifact(name, pipeline.bucket, f"{pipeline.name[:20]}/{name[:10]}/{chance}")

    def put(self, content: bytes, revision: str, summary: str = "", url: str = "") -> None:
        """Store the one output artifact."""
        artifact = self.allocate(self.run.action.outputs[0])
        artifact.revision, artifact.summary, artifact.url = revision, summary, url
        key = self.execution.pipeline.kms_key
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        self.client("s3").put_object(Bucket=artifact.bucket, Key=artifact.key, Body=content, **encryption)
        self.run.outputs.append(artifact)

    def wait(self, ready: Callable[[], object], every: float) -> None:
        """Sleep until `ready`, which is asked `every` so many seconds and whenever something happens to an execution.

        Raises AbandonedError, and ActionFailedError after the action's own time.
        """
        deadline = time.monotonic() + 60 * self.run.action.minutes if self.run.action.minutes else float("inf")
        while not ready():
            if self.execution.done:
                raise AbandonedError
            if time.monotonic() >= deadline:
                raise ActionFailedError("TimeoutError", f"The action ran longer than {self.run.action.minutes} minutes")
            with gates.changed:
                gates.changed.wait(every)
