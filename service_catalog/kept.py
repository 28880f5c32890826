"""What the newest published version says about the accounts of the stages, so that the next one says the same.

Read from its template, where publish has stamped it; for the first version in a region, from the account's other
regions. Refuses to guess where that template is gone: a version without these values would send the models of new
projects to the tooling account.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from service_catalog import errors, names
from service_catalog.aws.account import Account
from service_catalog.aws.buckets import Bucket
from service_catalog.aws.catalog import Catalog
from service_catalog.errors import BucketError, ProductError
from service_catalog.plan import Change
from service_catalog.template import Template

_NOTHING = Template("product.yaml", "")
_LABELS = (*(f"{place} account" for place in (*names.STAGES, *names.PARTS)), "organization")


@dataclass(frozen=True)
class Kept:
    """Values of the newest version that nobody gave anew."""

    version: str = ""
    stage_ids: Mapping[str, str] = field(default_factory=dict)
    organization: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def find(
        cls, account: Account, product: str, stages: tuple[str, ...], organization: bool, parts: tuple[str, ...] = ()
    ) -> "Kept":
        """The accounts of these stages and parts, and the organization if it is asked for. Raises ProductError."""
        if not stages and not organization and not parts:
            return cls()
        version, template = _newest(account, product, bool(stages))
        if template is _NOTHING and not version:
            version, template = _newest_elsewhere(account, product)
        ids = {stage: template.stamp(f"{stage} account") for stage in stages}
        found = {stage: id_ for stage, id_ in ids.items() if id_}
        apart = {part: id_ for part in parts if (id_ := template.stamp(f"{part} account"))}
        return cls(version, found, template.stamp("organization") if organization else "", apart)

    def lines(self, account: Account) -> Iterator[Change]:
        """What a plan says about it."""
        for stage, id_ in self.stage_ids.items():
            if id_ != account.id:
                yield self._line(account, f"{stage} account", id_, f"--stage-account {stage}=ID")
        for part, id_ in self.parts.items():
            yield self._line(account, f"{part} account", id_, f"--{part}-account ID")
        if self.organization:
            yield self._line(account, "organization", self.organization, "--organization ID (or none)")

    def _line(self, account: Account, name: str, value: str, option: str) -> Change:
        detail = f"{value}, as in version {self.version}; {option} changes it"
        return Change("keep", "default", name, detail, place=account.place)


def _newest(account: Account, product: str, required: bool) -> tuple[str, Template]:
    """Name and template of the newest version; an empty template if there is none, or it is gone and not required."""
    bucket = Bucket.of(account)
    version, key = _place_of_newest(account, product)
    if not version and not bucket.holds_any(key):
        return "", _NOTHING
    try:
        text = bucket.read(key).decode("utf-8")
    except BucketError as error:
        if not required:
            return version, _NOTHING
        raise ProductError(f"{error} Without it nobody knows the accounts of the stages: {_say(account)}") from None
    template = Template("product.yaml", text)
    return version or template.stamp("version"), template


def _newest_elsewhere(account: Account, product: str) -> tuple[str, Template]:
    """The same of the account's other regions, for the first version here. Raises ProductError if they disagree."""
    found = []
    for region in _other_regions(account):
        version, template = _newest(account.in_region(region), product, required=False)
        if template is not _NOTHING:
            found.append((f"{version} of {region}", template))
    if len({tuple(template.stamp(label) for label in _LABELS) for _, template in found}) > 1:
        places = ", ".join(version for version, _ in found)
        raise ProductError(f"The stages are in different accounts in version {places}. {_say(account).capitalize()}")
    return found[0] if found else ("", _NOTHING)


def _other_regions(account: Account) -> list[str]:
    """Where else this account has a bucket of templates: bucket names alone are known in every region."""
    prefix, own = names.account_bucket(account.id, ""), Bucket.of(account).name
    try:
        found = account.client("s3").list_buckets().get("Buckets") or []
    except ClientError as error:
        if not errors.is_denied(error):
            raise
        return []
    return [one["Name"].removeprefix(prefix) for one in found if one["Name"].startswith(prefix) and one["Name"] != own]


def _say(account: Account) -> str:
    return (
        f"say them, {' '.join(f'--stage-account {stage}=ID' for stage in names.STAGES)} ({account.id} if they are in "
        f"this account), and --organization if there is one."
    )


def _place_of_newest(account: Account, product: str) -> tuple[str, str]:
    """Name and key of the newest version; without a product, what the S3 channel offers, whose name is inside."""
    catalog = Catalog(account.client("servicecatalog"), account)
    present = catalog.product(product)
    versions = [one for one in catalog.versions(present) if one.content] if present else []
    if not versions:
        return "", names.studio_key(names.STUDIO_TEMPLATE)
    newest = next((one for one in reversed(versions) if one.is_active), versions[-1])
    return newest.name, names.template_key(newest.content, "product.yaml")
