"""What is published: the seed and the templates of this repository, stamped for one account and region.

The version is the repository's version and a hash of everything in it that a project gets, so that other content has
another name, and the same content the same name in every account and region.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scripts.bake import ROOT
from service_catalog import joiner, names, seed
from service_catalog.aws.account import Account
from service_catalog.aws.buckets import url
from service_catalog.aws.catalog import Published, Version
from service_catalog.errors import InputError
from service_catalog.seed import Seed
from service_catalog.template import BODY_BYTES, OBJECT_BYTES, Template

_VERSION = re.compile(r"[\w.+-]{1,64}")


@dataclass(frozen=True)
class Source:
    """What stands in the repository."""

    number: str
    product: Template
    portfolio: Template
    stage: Template
    seed: Seed
    # With which a project deploys: they lie in the seed, and their types must be known where it is published.
    deployed: tuple[Template, ...] = ()

    @classmethod
    def read(cls, root: Path = ROOT) -> "Source":
        """Bake the seed, join and measure the templates. Raises SourceError."""
        product, portfolio, stage, *deployed = templates(root)
        for template, limit in ((product, OBJECT_BYTES), (portfolio, BODY_BYTES), (stage, BODY_BYTES)):
            template.require_size(limit)
            template.require_policies()
        return cls(
            seed.repository_version(root), product, portfolio, stage, seed.from_template(), deployed=tuple(deployed)
        )

    @property
    def templates(self) -> list[Template]:
        """All whose types a region must know."""
        return [self.product, self.portfolio, self.stage, *self.deployed]

    def version_of(self, template: Template) -> str:
        """A version for one template: it changes with the template and with the repository's version only."""
        return f"{self.number}+{template.sha256[:8]}"

    def settled(self, defaults: Mapping[str, str]) -> Template:
        """The product's template with what is the same in every account and region."""
        known = {label: value for label, value in defaults.items() if f"# publish: {label}" in self.product.text}
        return self.product.stamped({"seed key": names.seed_key(self.seed.sha256), **known})

    def version(self, defaults: Mapping[str, str]) -> str:
        """The version of the product."""
        content = json.dumps([self.settled(defaults).sha256, self.seed.sha256])
        return f"{self.number}+{hashlib.sha256(content.encode()).hexdigest()[:8]}"

    def release(self, place: "Place", defaults: Mapping[str, str], version: str = "") -> "Release":
        """The product for one account and region. Raises InputError for a version that AWS would refuse."""
        name = version or self.version(defaults)
        if not _VERSION.fullmatch(name):
            raise InputError(f"--version {name!r} must be 1 to 64 letters, digits and any of . _ + -")
        stamps = {"seed bucket": place.bucket, "version": name}
        return Release(name, self.settled(defaults).stamped(stamps), self.seed, place)


def templates(root: Path = ROOT) -> list[Template]:
    """Those of joiner.NAMES, then those with which a project deploys. Raises SourceError."""
    paths = sorted((root / "{{cookiecutter.project_slug}}" / "model_deploy").glob("*.yaml"))
    deployed = [Template(path.name, path.read_text(encoding="utf-8")) for path in paths]
    return [*map(joiner.template, joiner.NAMES), *deployed]


@dataclass(frozen=True)
class Place:
    """Where something is published."""

    bucket: str
    region: str
    partition: str

    @classmethod
    def of(cls, account: Account) -> "Place":
        """The account's own bucket, in its region."""
        return cls(names.account_bucket(account.id, account.region), account.region, account.partition)

    def address(self, key: str) -> str:
        """Where CloudFormation finds an object."""
        return url(self.bucket, key, self.region, self.partition)

    def template_of(self, version: Version) -> str:
        """Where the template of a version is; empty if `publish` did not make it."""
        return self.address(names.template_key(version.content, "product.yaml")) if version.content else ""


@dataclass(frozen=True)
class Release:
    """A version of the product for one account and region."""

    version: str
    template: Template
    seed: Seed
    place: Place

    @property
    def template_key(self) -> str:
        return names.template_key(self.template.sha256, self.template.name)

    @property
    def seed_key(self) -> str:
        return names.seed_key(self.seed.sha256)

    @property
    def published(self) -> Published:
        """The version as Service Catalog gets it."""
        return Published(self.version, self.place.address(self.template_key), self.template.sha256)
