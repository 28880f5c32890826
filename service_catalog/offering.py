"""The product in the portfolio, and the template in the S3 channel: planned by reading, made by repeatable steps.

Studio sees a product when it carries the visibility tag. That comes last, so that nobody launches what is half made.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from service_catalog import names
from service_catalog.aws.account import Account
from service_catalog.aws.buckets import Bucket
from service_catalog.aws.catalog import VISIBILITY, Catalog, Product, Version
from service_catalog.aws.stacks import Stacks
from service_catalog.aws.studio import TEMPLATES_TAG, Domain, Studio
from service_catalog.errors import ProductError, nearest
from service_catalog.plan import Action, Apply, Change
from service_catalog.progress import Watch
from service_catalog.release import Release

MARK = {VISIBILITY: "true"}


@dataclass(frozen=True)
class Words:
    """What people read about the product."""

    name: str
    owner: str = "Platform team"
    description: str = "A project that builds, releases and monitors a machine learning model"
    support: str = ""
    support_email: str = ""

    @property
    def request(self) -> dict[str, str]:
        """As CreateProduct and UpdateProduct take them."""
        more = {"SupportDescription": self.support, "SupportEmail": self.support_email}
        given = {key: value for key, value in more.items() if value}
        return {"Name": self.name, "Owner": self.owner, "Description": self.description, **given}


@dataclass(frozen=True)
class Offering:
    """A release, and the words it is offered with, in one account and region."""

    account: Account
    stacks: Stacks
    release: Release
    words: Words
    retired: tuple[str, ...] = ()
    catalog: Catalog = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "catalog", Catalog(self.account.client("servicecatalog"), self.account))

    @property
    def bucket(self) -> Bucket:
        return Bucket.of(self.account)

    # --- objects -----------------------------------------------------------------------------------------------------

    def objects(self) -> Iterator[Change]:
        """The seed and the template, under names that follow from their content. Raises BucketError."""
        exists, release = self.bucket.exists(), self.release
        size = f"{release.seed.files} files, {len(release.seed.content) / 1e6:.1f} MB"
        yield self._object(exists, "seed", release.seed_key, release.seed.content, "application/zip", size)
        text = release.template.text.encode("utf-8")
        yield self._object(
            exists, "template", release.template_key, text, "application/yaml", f"version {release.version}"
        )

    def _object(self, exists: bool, kind: str, key: str, content: bytes, content_type: str, detail: str) -> Change:
        if exists and self.bucket.holds(key, content):
            return self._line("keep", kind, key, "uploaded")

        def upload(_: Watch) -> None:
            self.bucket.put_once(key, content, content_type)

        return self._line("create", kind, key, detail, upload)

    # --- Service Catalog ---------------------------------------------------------------------------------------------

    def product(self) -> Iterator[Change]:
        """Product, version, portfolio, launch role, retired versions, visibility. Raises ProductError."""
        present = self.catalog.product(self.words.name)
        if present is None and self.retired:
            raise ProductError(f"There is no product {self.words.name!r}, so no version of it can be retired.")
        yield self._product(present)
        yield self._version(present)
        yield self._association(present)
        yield self._launch_role(present)
        yield from (self._retirement(present, name) for name in self.retired if present)
        yield self._visibility(present)

    def _product(self, present: Product | None) -> Change:
        name = self.words.name
        if present and self.catalog.words(present).items() >= self.words.request.items():
            return self._line("keep", "product", name, present.id)
        if present:
            return self._line("update", "product", name, "its description or support", self._describing(present))

        def make(_: Watch) -> None:
            self.catalog.ensure_product(self.words.request, self.release.published)

        return self._line("create", "product", name, self.words.description, make)

    def _describing(self, present: Product) -> Apply:
        def describe(_: Watch) -> None:
            self.catalog.describe(present, self.words.request)

        return describe

    def _version(self, present: Product | None) -> Change:
        wanted = self.release.published
        found = self.catalog.version(present, wanted.name) if present else None
        if present and found:
            self.catalog.require_content(present, found, wanted)
            self._require_newest(present, found)
            return self._line("keep", "version", wanted.name, found.id)

        def make(_: Watch) -> None:
            self.catalog.ensure_version(self.catalog.require(self.words.name), wanted)

        return self._line("create", "version", wanted.name, f"template {wanted.sha256[:16]}", make)

    def _require_newest(self, present: Product, found: Version) -> None:
        """Raises ProductError for a version that is there, and that Studio and `create` would not take."""
        name, again = found.name, "publish this content again under another name: --version NAME"
        if not found.is_active:
            raise ProductError(f"Version {name} of {present.name!r} is retired, and stays so: {again}.")
        versions = self.catalog.versions(present)
        offered = [one.name for one in versions if one.is_active and one.name not in self.retired]
        newer = offered[offered.index(name) + 1 :] if name in offered else []
        if newer:
            retiring = " ".join(f"--retire {one}" for one in newer)
            raise ProductError(
                f"Version {name} has this content and is published already, but {newer[-1]} is newer: Studio and "
                f"`make create` would go on to take that one. Retire it with {retiring}, or {again}."
            )

    def _association(self, present: Product | None) -> Change:
        portfolio = self._portfolio()
        if present and portfolio in self.catalog.portfolios(present):
            return self._line("keep", "offer", self.words.name, f"in portfolio {portfolio}")

        def offer(_: Watch) -> None:
            self.catalog.associate(self.catalog.require(self.words.name), self._portfolio())

        return self._line("create", "offer", self.words.name, "in the portfolio", offer)

    def _launch_role(self, present: Product | None) -> Change:
        role, portfolio = names.launch_role_arn(self.account.partition, self.account.id), self._portfolio()
        found = self.catalog.launch_role(portfolio, present)[1] if present and portfolio else ""
        if found == role:
            return self._line("keep", "launch role", names.LAUNCH_ROLE, "every project is made under it")

        def constrain(_: Watch) -> None:
            self.catalog.ensure_launch_role(self._portfolio(), self.catalog.require(self.words.name), role)

        action: Action = "update" if found else "create"
        reason = f"instead of {found}" if found else "every project is made under it, whoever asks"
        return self._line(action, "launch role", names.LAUNCH_ROLE, reason, constrain)

    def _retirement(self, present: Product, name: str) -> Change:
        found = self._known_version(present, name)
        if not found.is_active:
            return self._line("keep", "version", name, "retired")

        def retire(_: Watch) -> None:
            self.catalog.retire(present, found)

        return self._line("update", "version", name, "retire: no new projects; those made from it go on", retire)

    def _known_version(self, product: Product, name: str) -> Version:
        if name == self.release.version:
            raise ProductError(f"--retire {name}: that is the version being published; publish another one first.")
        found = self.catalog.version(product, name)
        if found is None:
            known = [version.name for version in self.catalog.versions(product)]
            raise ProductError(f"--retire {name}: {product.name!r} has no such version{nearest(name, known)}")
        return found

    def _visibility(self, present: Product | None) -> Change:
        if present and self.catalog.tags(present).items() >= MARK.items():
            return self._line("keep", "tag", VISIBILITY, "Studio shows the product")

        def mark(_: Watch) -> None:
            self.catalog.tag(self.catalog.require(self.words.name), MARK)

        return self._line("create", "tag", VISIBILITY, "Studio shows the product", mark)

    def _portfolio(self) -> str:
        """The portfolio's id; empty while its stack is not there."""
        found = self.stacks.find(names.PORTFOLIO_STACK)
        return found.outputs.get("PortfolioId", "") if found else ""

    # --- the S3 channel ----------------------------------------------------------------------------------------------

    def studio(self) -> Iterator[Change]:
        """The template under its fixed name, and the tag that sends each Studio domain there."""
        yield self._studio_template()
        studio = Studio(self.account.client("sagemaker"))
        domains = studio.domains()
        if not domains:
            yield self._line(
                "note", "domain", "none", "this region has no Studio domain: run this again when it has one"
            )
        for domain in domains:
            yield self._domain(studio, domain)

    def _studio_template(self) -> Change:
        key, text = names.studio_key(names.STUDIO_TEMPLATE), self.release.template.text.encode("utf-8")
        if self.bucket.exists() and self.bucket.is_current(key, text, MARK):
            return self._line("keep", "template", key, f"version {self.release.version}")

        def upload(_: Watch) -> None:
            self.bucket.replace(key, text, "application/yaml", MARK)

        return self._line("update", "template", key, f"version {self.release.version}, for Studio's S3 channel", upload)

    def _domain(self, studio: Studio, domain: Domain) -> Change:
        wanted = f"s3://{self.release.place.bucket}/{names.STUDIO_PREFIX}"
        found = domain.tags.get(TEMPLATES_TAG, "")
        if found == wanted:
            return self._line("keep", "domain", domain.name, f"shows the templates in {wanted}")
        if found:
            reason = f"shows the templates in {found}, and can show one place only: copy ours there, or change its tag"
            return self._line("note", "domain", domain.name, reason)

        def tag(_: Watch) -> None:
            studio.tag_domain(domain, {TEMPLATES_TAG: wanted})

        return self._line("update", "domain", domain.name, f"show the templates in {wanted}", tag)

    def _line(
        self, action: Action, kind: str, name: str, detail: str, apply: Callable[[Watch], None] | None = None
    ) -> Change:
        return Change(action, kind, name, detail, apply, self.account.place)
