"""doctor: what stands between this account and a working project, each finding with the command that mends it.

It only reads. A look that is not allowed is a finding too, and never hides the others.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service_catalog import errors, names
from service_catalog.aws import connections, quotas, roles
from service_catalog.aws.account import Account
from service_catalog.aws.buckets import Bucket, key_of
from service_catalog.aws.catalog import VISIBILITY, Catalog, Product
from service_catalog.aws.stacks import Stacks
from service_catalog.aws.studio import TEMPLATES_TAG, Domain, Studio
from service_catalog.errors import CatalogError
from service_catalog.publish import S3
from service_catalog.release import Place
from service_catalog.template import POLICY_CHARACTERS

Level = Literal["good", "note", "bad"]
PUBLISH = "python -m service_catalog publish"
# Services of the product, by boto3's name; those marked are needed only by some answers of the form.
_NEEDED = {
    "sagemaker": "",
    "servicecatalog": "",
    "cloudformation": "",
    "s3": "",
    "kms": "",
    "iam": "",
    "codepipeline": "",
    "codebuild": "",
    "events": "",
    "lambda": "",
    "sns": "",
    "sqs": "",
    "logs": "",
    "cloudwatch": "",
    "application-autoscaling": "",
    "scheduler": "RetrainSchedule, and batch jobs",
    "codecommit": "RepositoryProvider=CodeCommit",
    "codeconnections": "RepositoryProvider=Connection",
    "codeartifact": "CodeArtifactDomain",
}
# What a first project needs at once: quota of SageMaker, least value, what for. Names as Service Quotas writes them.
_QUOTAS = {
    "ml.m5.xlarge for training job usage": (1, "training"),
    "ml.m5.large for processing job usage": (1, "preparing data and evaluating"),
    "ml.m5.large for endpoint usage": (
        4,
        "staging and production, twice each while a release replaces the old instances",
    ),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    subject: str
    text: str
    command: str = ""


@dataclass(frozen=True)
class Patient:
    """The account and region that is looked at, the product's name, and the stages that we have credentials for."""

    account: Account
    product: str = names.PRODUCT
    stage_accounts: Mapping[str, Account] | None = None
    channel: str = ""

    @property
    def bucket(self) -> Bucket:
        name = names.account_bucket(self.account.id, self.account.region)
        return Bucket(self.account.client("s3"), name, self.account.id)


def examine(patient: Patient) -> Iterator[Finding]:
    """Every finding, in the order in which one would mend them; raises where no credentials or region are set."""
    yield from _identity(patient)
    for subject, look in _LOOKS.items():
        try:
            yield from look(patient)
        except ClientError as error:
            text = f"cannot look: {errors.explain(error)}" if errors.is_denied(error) else str(errors.explain(error))
            yield Finding("bad", subject, text)
        except BotoCoreError as error:
            yield Finding("bad", subject, f"cannot look: {errors.explain(error)}")
        except CatalogError as error:
            yield Finding("bad", subject, str(error))


# --- the looks -------------------------------------------------------------------------------------------------------


def _identity(patient: Patient) -> Iterator[Finding]:
    identity = patient.account.identity
    words = f"{identity.arn} in {patient.account.region}"
    if identity.is_root:
        yield Finding(
            "note",
            "identity",
            f"{words}: the root user, who should do nothing but close the account",
            "aws configure sso",
        )
    else:
        yield Finding("good", "identity", words)


def _regions(patient: Patient) -> Iterator[Finding]:
    region = patient.account.region
    missing = {
        service: need
        for service, need in _NEEDED.items()
        if (known := patient.account.regions_of(service)) and region not in known
    }
    for service, need in missing.items():
        if need:
            yield Finding("note", "region", f"{service} is not in {region}: do without {need}")
        else:
            command = "choose one of: " + ", ".join(sorted(_complete_regions(patient.account))[:12])
            yield Finding("bad", "region", f"{service} is not in {region}, and every project needs it", command)
    if not missing:
        yield Finding("good", "region", f"every service that a project may use is in {region}")


def _complete_regions(account: Account) -> set[str]:
    needed = [set(account.regions_of(service)) for service, need in _NEEDED.items() if not need]
    return set.intersection(*(regions for regions in needed if regions))


def _closed(patient: Patient) -> Iterator[Finding]:
    """CodeCommit took no new customers from 2024-07-25 to 2025-11-24; an account that is refused says so when asked."""
    if patient.account.region not in patient.account.regions_of("codecommit"):
        return
    try:
        patient.account.client("codecommit").list_repositories()
    except ClientError as error:
        if errors.is_denied(error) and "customer" in errors.message(error).lower():
            command = "answer RepositoryProvider=Connection, or ask AWS Support to open CodeCommit for this account"
            yield Finding("note", "CodeCommit", "is closed to this account", command)
            return
        raise
    yield Finding("good", "CodeCommit", "answers")


def _studio(patient: Patient) -> Iterator[Finding]:
    studio = Studio(patient.account.client("sagemaker"))
    if studio.may_use_catalog():
        yield Finding("good", "Studio", "may use Service Catalog")
    else:
        command = "aws sagemaker enable-sagemaker-servicecatalog-portfolio"
        yield Finding("bad", "Studio", "SageMaker projects are switched off in this account and region", command)
    domains = studio.domains()
    if not domains:
        command = "aws sagemaker create-domain …, or the console: SageMaker AI, Domains, Create"
        yield Finding(
            "note", "domain", f"there is no Studio domain in {patient.account.region}; `create` works without", command
        )
    for domain in domains:
        yield from _access(patient, domain)
        yield from _templates(patient, domain)


def _access(patient: Patient, domain: Domain) -> Iterator[Finding]:
    """Whether the domain's roles may launch what is in the portfolio."""
    portfolio = _outputs(patient).get("PortfolioId", "")
    if not portfolio:
        return
    allowed = Catalog(patient.account.client("servicecatalog")).principals(portfolio)
    for role in domain.roles:
        if any(_covers(principal, role) for principal in allowed):
            yield Finding("good", "access", f"{role} of domain {domain.name} sees the product")
        else:
            pattern = role.partition(":role/")[2]
            command = f"{PUBLISH} --set portfolio.MoreStudioRoles={pattern}"
            yield Finding("bad", "access", f"{role} of domain {domain.name} is no principal of the portfolio", command)


def _covers(principal: str, role: str) -> bool:
    """Whether a principal, perhaps a pattern without account (IAM_PATTERN), means this role."""
    if principal == role:
        return True
    _, _, pattern = principal.partition(":role/")
    return "*" in pattern + "?" and _matches(pattern, role.partition(":role/")[2])


def _matches(pattern: str, name: str) -> bool:
    import fnmatch

    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _templates(patient: Patient, domain: Domain) -> Iterator[Finding]:
    wanted = f"s3://{patient.bucket.name}/{names.STUDIO_PREFIX}"
    found = domain.tags.get(TEMPLATES_TAG, "")
    if found == wanted:
        yield Finding("good", "S3 channel", f"domain {domain.name} shows the templates in {wanted}")
    elif patient.channel == S3:
        command = f"{PUBLISH} --channel s3"
        yield Finding("bad", "S3 channel", f"domain {domain.name} shows {found or 'no templates of S3'}", command)


def _outputs(patient: Patient) -> Mapping[str, str]:
    found = Stacks(patient.account.client("cloudformation")).find(names.PORTFOLIO_STACK)
    return found.outputs if found else {}


def _stacks(patient: Patient) -> Iterator[Finding]:
    yield from _stack(patient.account, names.PORTFOLIO_STACK)
    for stage in names.STAGES:
        account = (patient.stage_accounts or {}).get(stage, patient.account)
        yield from _stack(account.in_region(patient.account.region), names.stage_stack(stage))


def _stack(account: Account, name: str) -> Iterator[Finding]:
    stacks = Stacks(account.client("cloudformation"))
    found = stacks.find(name)
    if found is None:
        hint = f"{PUBLISH}, with --stage-profile STAGE=PROFILE if the stage is in another account"
        yield Finding(
            "bad", "stack", f"{name} is not in {account.place}", PUBLISH if name == names.PORTFOLIO_STACK else hint
        )
    elif found.is_in_progress:
        yield Finding(
            "note", "stack", f"{name} is in {found.status}: somebody works on it", "python -m service_catalog doctor"
        )
    elif found.is_settled:
        yield Finding("good", "stack", f"{name} is in {found.status}")
    else:
        yield Finding("bad", "stack", stacks.trouble(found), PUBLISH)


def _roles(patient: Patient) -> Iterator[Finding]:
    """Roles that the stacks say they made."""
    wanted = [(patient.account, names.LAUNCH_ROLE, names.PORTFOLIO_STACK)]
    for stage in names.STAGES:
        account = (patient.stage_accounts or {}).get(stage, patient.account)
        purposes = ("deploy", "cloudformation", "endpoint", "verify")
        wanted += [(account, names.stage_role(stage, purpose), names.stage_stack(stage)) for purpose in purposes]
    good: list[str] = []
    for account, role, stack in wanted:
        if Stacks(account.in_region(patient.account.region).client("cloudformation")).find(stack):
            bad = list(_role(account, role, stack))
            yield from bad
            good += [] if bad else [role]
    if good:
        more = f" and {len(good) - 1} more" if len(good) > 1 else ""
        yield Finding("good", "role", f"{good[0]}{more}")


def _role(account: Account, name: str, stack: str) -> Iterator[Finding]:
    """Nothing if the role is as it should be."""
    found = roles.role(account.client("iam"), name)
    if found is None:
        command = f"aws cloudformation delete-stack --stack-name {stack} && {PUBLISH}"
        yield Finding("bad", "role", f"{name} was deleted by hand, though stack {stack} made it", command)
    elif not found.get("PermissionsBoundary") and name != names.LAUNCH_ROLE:
        yield Finding("note", "role", f"{name} has no permissions boundary", PUBLISH)


def policies(patient: Patient) -> Iterator[Finding]:
    """Managed policies that are nearly full: a managed policy takes no more than 6,144 characters."""
    for path in ("/", names.PATH):
        for name, size in roles.policy_sizes(patient.account.client("iam"), path):
            if name.startswith("sagemaker-") and size > POLICY_CHARACTERS * 0.9:
                text = f"{name} has {size:,} of {POLICY_CHARACTERS:,} characters: the next statement may not fit"
                yield Finding("note", "policy", text, "split it in two managed policies")


def _product(patient: Patient) -> Iterator[Finding]:
    catalog = Catalog(patient.account.client("servicecatalog"))
    product = catalog.product(patient.product)
    if product is None:
        yield Finding("bad", "product", f"{patient.product!r} is not published in {patient.account.place}", PUBLISH)
        return
    offered = [version for version in catalog.versions(product) if version.is_active]
    if offered:
        yield Finding(
            "good", "product", f"{product.name!r} offers {offered[-1].name} and {len(offered) - 1} older versions"
        )
        yield from _objects(patient, Place.of(patient.account).template_of(offered[-1]))
    else:
        yield Finding("bad", "product", f"every version of {product.name!r} is retired", PUBLISH)
    yield from _offer(patient, catalog, product)


def _offer(patient: Patient, catalog: Catalog, product: Product) -> Iterator[Finding]:
    portfolio = _outputs(patient).get("PortfolioId", "")
    if catalog.tags(product).get(VISIBILITY) != "true":
        yield Finding("bad", "tag", f"the product lacks {VISIBILITY}=true, so Studio does not show it", PUBLISH)
    if portfolio and portfolio not in catalog.portfolios(product):
        yield Finding("bad", "portfolio", f"{portfolio} does not offer the product", PUBLISH)
    elif portfolio:
        role = catalog.launch_role(portfolio, product)[1]
        wanted = names.launch_role_arn(patient.account.partition, patient.account.id)
        good = Finding("good", "launch role", f"every project is made under {wanted}")
        yield (
            good
            if role == wanted
            else Finding("bad", "launch role", f"the constraint names {role or 'no role'}", PUBLISH)
        )


def _objects(patient: Patient, address: str) -> Iterator[Finding]:
    """The template of the newest version, without which no project can be made."""
    bucket = patient.bucket
    key = key_of(address, bucket.name)
    if not key:
        return
    try:
        bucket.read(key)
        yield Finding("good", "template", f"s3://{bucket.name}/{key}")
    except CatalogError:
        yield Finding("bad", "template", f"s3://{bucket.name}/{key} was deleted: nobody can create a project", PUBLISH)


def _connections(patient: Patient) -> Iterator[Finding]:
    client = patient.account.client("codeconnections")
    for found in connections.connections(client):
        if found.status != "AVAILABLE":
            command = (
                "console: Developer Tools, Settings, Connections, Update pending connection (AWS offers no command)"
            )
            yield Finding("bad", "connection", f"{found.name} ({found.provider}) is {found.status}", command)
        elif found.tags.get("sagemaker") != "true":
            command = f"aws codeconnections tag-resource --resource-arn {found.arn} --tags Key=sagemaker,Value=true"
            yield Finding(
                "bad", "connection", f"{found.name} lacks the tag sagemaker=true, so Studio does not offer it", command
            )
        else:
            yield Finding("good", "connection", f"{found.name} ({found.provider}) is available")


def _quotas(patient: Patient) -> Iterator[Finding]:
    found = quotas.quotas(patient.account.client("service-quotas"), "sagemaker")
    for name, (least, purpose) in _QUOTAS.items():
        code, value = found.get(name, ("", None))
        if value is None:
            yield Finding(
                "note",
                "quota",
                f"{name}: Service Quotas does not list it",
                "look in the console: Service Quotas, SageMaker",
            )
        elif value < least:
            ask = "aws service-quotas request-service-quota-increase --service-code sagemaker"
            command = f"{ask} --quota-code {code} --desired-value {least}"
            yield Finding("bad", "quota", f"{name}: {value:g}, and {least} are needed for {purpose}", command)
        else:
            yield Finding("good", "quota", f"{name}: {value:g}")


_LOOKS: dict[str, Callable[[Patient], Iterator[Finding]]] = {
    "region": _regions,
    "CodeCommit": _closed,
    "stack": _stacks,
    "role": _roles,
    "policy": policies,
    "product": _product,
    "Studio": _studio,
    "connection": _connections,
    "quota": _quotas,
}


# --- the verb --------------------------------------------------------------------------------------------------------


def doctor(patient: Patient, console: Console) -> list[Finding]:
    """Show every finding; what is bad comes with its command."""
    found: list[Finding] = []
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    marks = {"good": ("✓", "green"), "note": ("!", "yellow"), "bad": ("✗", "red")}
    with console.status("looking"):
        for finding in examine(patient):
            found.append(finding)
            text = Text(finding.text)
            if finding.command:
                text.append(f"\n→ {finding.command}", style="cyan")
            table.add_row(Text(*marks[finding.level]), Text(finding.subject, style="bold"), text)
    console.print(table)
    console.print(Text(_sum(found), style="bold"))
    return found


def _sum(found: list[Finding]) -> str:
    bad = sum(finding.level == "bad" for finding in found)
    return f"{bad} to mend, {len(found)} looked at" if bad else f"All well: {len(found)} looked at"
