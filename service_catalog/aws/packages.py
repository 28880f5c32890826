"""CodeArtifact: the kit's wheel in a company's own index, where a project finds it that has no vendor/.

PublishPackageVersion takes generic packages only ("format", CodeArtifact API reference), so the wheel goes in as every
Python package does, through the repository's PyPI endpoint; uv knows that protocol. What is there is asked of the API.
A version is published once: other bytes under its name are refused, here and by CodeArtifact.
"""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from service_catalog import errors
from service_catalog.errors import InputError, SourceError

TOKEN_SECONDS = 900
PACKAGE = "sagemaker-project-kit"


@dataclass(frozen=True)
class Index:
    """A repository of CodeArtifact; `owner` is empty for a domain of the account itself."""

    client: Any
    domain: str
    repository: str
    owner: str = ""

    @property
    def name(self) -> str:
        return f"{self.domain}/{self.repository}"

    def holds(self, wheel: Path) -> bool:
        """Whether this wheel is there. Raises SourceError if other bytes are, InputError if the repository is not."""
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        found = self._hash(wheel)
        if found not in ("", digest):
            raise SourceError(
                f"CodeArtifact {self.name} holds {wheel.name} with other content (sha256:{found}; here it is "
                f"sha256:{digest}), and a version is published once: give the kit a new version in kit/pyproject.toml "
                "and kit/src/sagemaker_project_kit/__init__.py, then make lock kit."
            )
        return found == digest

    def _hash(self, wheel: Path) -> str:
        version = wheel.name.split("-")[1]
        try:
            answer = self.client.list_package_version_assets(
                **self._place, format="pypi", package=PACKAGE, packageVersion=version
            )
        except ClientError as error:
            if errors.code(error) != "ResourceNotFoundException":
                raise
            if error.response.get("resourceType") in ("domain", "repository"):
                raise InputError(f"--codeartifact {self.name}: {errors.message(error)}") from None
            return ""
        hashes = (asset["hashes"]["SHA-256"] for asset in answer["assets"] if asset["name"] == wheel.name)
        return str(next(hashes, ""))

    def upload(self, wheel: Path) -> None:
        """Put the wheel in; that another run did so meanwhile is no error. Raises SourceError with what uv says."""
        token = self.client.get_authorization_token(**self._domain, durationSeconds=TOKEN_SECONDS)
        endpoint = self.client.get_repository_endpoint(**self._place, format="pypi")["repositoryEndpoint"]
        command = [str(Path(sys.executable).with_name("uv")), "publish", "--quiet", "--trusted-publishing", "never"]
        done = subprocess.run(
            [*command, "--publish-url", endpoint, "--username", "aws", str(wheel)],
            env={**os.environ, "UV_PUBLISH_PASSWORD": token["authorizationToken"]},
            capture_output=True,
            text=True,
        )
        if done.returncode and not self.holds(wheel):
            raise SourceError(f"CodeArtifact {self.name} does not take {wheel.name}: {done.stderr.strip()}")

    @property
    def _domain(self) -> dict[str, str]:
        return {"domain": self.domain, **({"domainOwner": self.owner} if self.owner else {})}

    @property
    def _place(self) -> dict[str, str]:
        return {**self._domain, "repository": self.repository}
