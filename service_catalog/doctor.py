"""doctor: what stands between this account and a working project, each finding with the command that mends it.

It only reads. A look that is not allowed is a finding too, and never hides the others.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from service_catalog import errors, joiner, layout, lending, names, regions, release
from service_catalog.aws import connections, quotas, roles
from service_catalog.aws.account import Account
from service_catalog.aws.buckets import Bucket, key_of
from service_catalog.aws.catalog import VISIBILITY, Catalog, Product
from service_catalog.aws.stacks import Stack, Stacks
from service_catalog.aws.studio import TEMPLATES_TAG, Domain, Studio
from service_catalog.commands import aws, command
from service_catalog.errors import CatalogError
from service_catalog.kept import Kept
from service_catalog.publish import S3
from service_catalog.release import Place
from service_catalog.template import POLICY_CHARACTERS
from service_catalog.waiting import Site

Level = Literal["good", "note", "bad"]
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

# Parameters of portfolio.yaml, each for one pattern.
_PATTERNS = ("MoreStudioRoles", "MoreStudioRoles2", "MoreStudioRoles3")
# Mark, the longest subject, and a gap.
_BESIDE = 2 + len("other account") + 2


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

    def publish(self, *arguments: str) -> str:
        """The command that publishes this product here."""
        product = [] if self.product == names.PRODUCT else ["--product", self.product]
        return command("publish", self.account, *product, *arguments)

    def stage_account(self, stage: str) -> Account:
        """The account of a stage, in the region of the projects."""
        return (self.stage_accounts or {}).get(stage, self.account).in_region(self.account.region)

    @property
    def bucket(self) -> Bucket:
        return Bucket.of(self.account)


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
            others = "choose one of: " + ", ".join(sorted(_complete_regions(patient.account))[:12])
            yield Finding("bad", "region", f"{service} is not in {region}, and every project needs it", others)
    if not missing:
        yield Finding("good", "region", f"every service that a project may use is in {region}")


def _complete_regions(account: Account) -> set[str]:
    needed = [set(account.regions_of(service)) for service, need in _NEEDED.items() if not need]
    return set.intersection(*(regions for regions in needed if regions))


def _types(patient: Patient) -> Iterator[Finding]:
    """What `publish` leaves out here, or why it cannot publish."""
    region = regions.Region.look(patient.account, release.templates())
    if region.needed:
        yield Finding("bad", "types", region.refusal())
        return
    if region.unasked:
        yield Finding("note", "types", region.unasked)
    for word in region.lacking:
        text = f"{patient.account.region} has no {joiner.OPTIONAL[word]}"
        yield Finding("note", "types", text, f"`publish` leaves it out: {regions.WITHOUT[word]}")
    if not (region.unasked or region.lacking):
        yield Finding("good", "types", "CloudFormation knows every type of a project")


def _closed(patient: Patient) -> Iterator[Finding]:
    """CodeCommit took no new customers from 2024-07-25 to 2025-11-24; an account that is refused says so when asked."""
    if patient.account.region not in patient.account.regions_of("codecommit"):
        return
    try:
        patient.account.client("codecommit").list_repositories()
    except ClientError as error:
        if errors.is_denied(error) and "customer" in errors.message(error).lower():
            way = "answer RepositoryProvider=Connection, or ask AWS Support to open CodeCommit for this account"
            yield Finding("note", "CodeCommit", "is closed to this account", way)
            return
        raise
    yield Finding("good", "CodeCommit", "answers")


def _studio(patient: Patient) -> Iterator[Finding]:
    studio = Studio(patient.account.client("sagemaker"))
    if studio.may_use_catalog():
        yield Finding("good", "Studio", "may use Service Catalog")
    else:
        enable = aws(patient.account, "sagemaker", "enable-sagemaker-servicecatalog-portfolio")
        yield Finding("bad", "Studio", "SageMaker projects are switched off in this account and region", enable)
    domains = studio.domains()
    if not domains:
        create = aws(patient.account, "sagemaker", "create-domain", "…")
        text = f"there is no Studio domain in {patient.account.region}; `make create` works without"
        yield Finding("note", "domain", text, f"{create}, or the console: SageMaker AI, Domains, Create")
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
            text = f"{role} of domain {domain.name} is no principal of the portfolio"
            yield Finding("bad", "access", text, _admission(patient, role))


def _admission(patient: Patient, role: str) -> str:
    """The command that lets a role launch the product, and goes on letting those that may."""
    found = Stacks(patient.account.client("cloudformation")).find(names.PORTFOLIO_STACK)
    free = [name for name in _PATTERNS if found and not found.parameters.get(name)]
    if not free:
        return f"all of {', '.join(_PATTERNS)} are taken: widen one of them with a wildcard, *"
    return patient.publish("--set", f"portfolio.{free[0]}={role.partition(':role/')[2]}")


def _covers(principal: str, role: str) -> bool:
    """Whether a principal means this role: by its ARN, or by path and name, with wildcards or none (IAM_PATTERN)."""
    account, _, pattern = principal.partition(":role/")
    is_pattern = account.endswith(":iam::") and pattern != ""
    return principal == role or (is_pattern and _matches(pattern, role.partition(":role/")[2]))


def _matches(pattern: str, name: str) -> bool:
    import fnmatch

    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def _templates(patient: Patient, domain: Domain) -> Iterator[Finding]:
    wanted = f"s3://{patient.bucket.name}/{names.STUDIO_PREFIX}"
    found = domain.tags.get(TEMPLATES_TAG, "")
    if found == wanted:
        yield Finding("good", "S3 channel", f"domain {domain.name} shows the templates in {wanted}")
    elif patient.channel == S3:
        text = f"domain {domain.name} shows {found or 'no templates of S3'}"
        yield Finding("bad", "S3 channel", text, patient.publish("--channel", S3))


def _outputs(patient: Patient) -> Mapping[str, str]:
    found = Stacks(patient.account.client("cloudformation")).find(names.PORTFOLIO_STACK)
    return found.outputs if found else {}


def _stacks(patient: Patient) -> Iterator[Finding]:
    yield from _stack(patient, patient.account, names.PORTFOLIO_STACK)
    for stage in names.STAGES:
        if elsewhere := _elsewhere(patient, stage):
            again = command("doctor", patient.account, "--stage-profile", f"{stage}=PROFILE")
            text = f"{names.stage_stack(stage)} is in account {elsewhere}, where nobody looked"
            yield Finding("note", "stack", text, again)
        else:
            yield from _stack(patient, patient.stage_account(stage), names.stage_stack(stage))


def _elsewhere(patient: Patient, stage: str) -> str:
    """The account of a stage, by the newest version, if it is another one and there is no profile for it."""
    if stage in (patient.stage_accounts or {}):
        return ""
    found = Kept.find(patient.account, patient.product, (stage,), False).stage_ids.get(stage, "")
    return "" if found == patient.account.id else found


def _stack(patient: Patient, account: Account, name: str) -> Iterator[Finding]:
    stacks = Stacks(account.client("cloudformation"))
    found = stacks.find(name)
    if found is None:
        hint = ", with --stage-profile STAGE=PROFILE if the stage is in another account"
        mending = patient.publish() + ("" if name == names.PORTFOLIO_STACK else hint)
        yield Finding("bad", "stack", f"{name} is not in {account.place}", mending)
    elif found.is_in_progress:
        again = command("doctor", patient.account)
        yield Finding("note", "stack", f"{name} is in {found.status}: somebody works on it", again)
    elif found.is_settled:
        yield Finding("good", "stack", f"{name} is in {found.status}")
    else:
        yield Finding("bad", "stack", stacks.trouble(found), patient.publish())


def _roles(patient: Patient) -> Iterator[Finding]:
    """Roles that the stacks say they made."""
    wanted = [(patient.account, names.LAUNCH_ROLE, names.PORTFOLIO_STACK)]
    for stage in names.STAGES:
        account, stack = patient.stage_account(stage), names.stage_stack(stage)
        wanted += [(account, names.stage_role(stage, purpose), stack) for purpose in names.STAGE_PURPOSES]
    good: list[str] = []
    for account, role, name in wanted:
        if found := Stacks(account.client("cloudformation")).find(name):
            bad = list(_role(patient, account, role, found))
            yield from bad
            good += [] if bad else [role]
    if good:
        more = f" and {len(good) - 1} more" if len(good) > 1 else ""
        yield Finding("good", "role", f"{good[0]}{more}")


def _role(patient: Patient, account: Account, name: str, stack: Stack) -> Iterator[Finding]:
    """Nothing if the role is as it should be."""
    found = roles.role(account.client("iam"), name)
    if found is None:
        yield _deleted(account, name, stack)
    elif not found.get("PermissionsBoundary") and name != names.LAUNCH_ROLE:
        yield Finding("note", "role", f"{name} has no permissions boundary", patient.publish())


def _deleted(account: Account, name: str, stack: Stack) -> Finding:
    """The way to have CloudFormation make a role again, without deleting anything that projects use.

    Source: CloudFormation user guide, "Using drift-aware change sets"; a change set alone changes nothing.
    """
    if "existing" in (stack.parameters.get("AccountRoles"), stack.parameters.get("StageRoles")):
        text = f"{name} was deleted by hand, though stack {stack.name} of another region made it"
        return Finding("bad", "role", text, 'make doctor ARGS="--region …" in that region tells how to have it again')
    place = ("--stack-name", stack.name, "--change-set-name", f"restore-{name}")
    previous = [f"ParameterKey={key},UsePreviousValue=true" for key in sorted(stack.parameters)]
    mode = ("--use-previous-template", "--deployment-mode", "REVERT_DRIFT", "--capabilities", "CAPABILITY_NAMED_IAM")
    steps = (
        aws(account, "cloudformation", "create-change-set", *place, *mode, "--parameters", *previous),
        aws(account, "cloudformation", "describe-change-set", *place),
        aws(account, "cloudformation", "execute-change-set", *place),
    )
    text = (
        f"{name} was deleted by hand, though stack {stack.name} made it. Do not delete the stack: projects use it. "
        f"A change set against drift makes the role again: look at it, and execute it if it does nothing else"
    )
    return Finding("bad", "role", text, "\n→ ".join(steps))


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
        yield Finding(
            "bad", "product", f"{patient.product!r} is not published in {patient.account.place}", patient.publish()
        )
        return
    offered = [version for version in catalog.versions(product) if version.is_active]
    if offered:
        yield Finding(
            "good", "product", f"{product.name!r} offers {offered[-1].name} and {len(offered) - 1} older versions"
        )
        yield from _objects(patient, Place.of(patient.account).template_of(offered[-1]))
    else:
        yield Finding(
            "bad", "product", f"every version of {product.name!r} is retired", patient.publish("--version", "NAME")
        )
    yield from _offer(patient, catalog, product)


def _offer(patient: Patient, catalog: Catalog, product: Product) -> Iterator[Finding]:
    portfolio = _outputs(patient).get("PortfolioId", "")
    if catalog.tags(product).get(VISIBILITY) != "true":
        yield Finding(
            "bad", "tag", f"the product lacks {VISIBILITY}=true, so Studio does not show it", patient.publish()
        )
    if portfolio and portfolio not in catalog.portfolios(product):
        yield Finding("bad", "portfolio", f"{portfolio} does not offer the product", patient.publish())
    elif portfolio:
        role = catalog.launch_role(portfolio, product)[1]
        wanted = names.launch_role_arn(patient.account.partition, patient.account.id)
        good = Finding("good", "launch role", f"every project is made under {wanted}")
        bad = Finding("bad", "launch role", f"the constraint names {role or 'no role'}", patient.publish())
        yield good if role == wanted else bad


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
        text = f"s3://{bucket.name}/{key} was deleted: nobody can create a project"
        yield Finding("bad", "template", text, patient.publish())


def _connections(patient: Patient) -> Iterator[Finding]:
    client = patient.account.client("codeconnections")
    for found in connections.connections(client):
        if found.status != "AVAILABLE":
            way = "console: Developer Tools, Settings, Connections, Update pending connection (AWS offers no command)"
            yield Finding("bad", "connection", f"{found.name} ({found.provider}) is {found.status}", way)
        elif found.tags.get("sagemaker") != "true":
            words = ("--resource-arn", found.arn, "--tags", "Key=sagemaker,Value=true")
            tag = aws(patient.account, "codeconnections", "tag-resource", *words)
            text = f"{found.name} lacks the tag sagemaker=true, so Studio does not offer it"
            yield Finding("bad", "connection", text, tag)
        else:
            yield Finding("good", "connection", f"{found.name} ({found.provider}) is available")


def _lent(patient: Patient) -> Iterator[Finding]:
    """Projects that reach into other accounts, whose policies cannot be seen from here."""
    site = Site(patient.account)
    for name in site.studio.projects():
        project = site.studio.project(name)
        stack = site.stack(project) if project else None
        for note in lending.of_project(patient.account, stack.parameters if stack else {}):
            text = f"{name} needs the policy of {note.name} in {note.place}, where nobody looked, to say so"
            yield Finding("note", "other account", text, note.command)


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
            words = ("--service-code", "sagemaker", "--quota-code", code, "--desired-value", str(least))
            ask = aws(patient.account, "service-quotas", "request-service-quota-increase", *words)
            yield Finding("bad", "quota", f"{name}: {value:g}, and {least} are needed for {purpose}", ask)
        else:
            yield Finding("good", "quota", f"{name}: {value:g}")


_LOOKS: dict[str, Callable[[Patient], Iterator[Finding]]] = {
    "region": _regions,
    "types": _types,
    "CodeCommit": _closed,
    "stack": _stacks,
    "role": _roles,
    "policy": policies,
    "product": _product,
    "Studio": _studio,
    "connection": _connections,
    "other account": _lent,
    "quota": _quotas,
}


# --- the verb --------------------------------------------------------------------------------------------------------


def doctor(patient: Patient, console: Console) -> list[Finding]:
    """Show every finding; what is bad comes with its command."""
    with console.status("looking"):
        found = list(examine(patient))
    for finding in found:
        _show(finding, console)
    console.print(Text(_sum(found), style="bold"))
    return found


def _show(finding: Finding, console: Console) -> None:
    """A finding beside its subject; its commands are never folded, so that they can be copied."""
    mark = {"good": ("✓", "green"), "note": ("!", "yellow"), "bad": ("✗", "red")}[finding.level]
    head = Text.assemble(mark, " ", (finding.subject, "bold"))
    layout.hang(finding.text, console, _BESIDE, head=head)
    if finding.command:
        console.print(Text(f"  → {finding.command}", style="cyan"), soft_wrap=True)


def _sum(found: list[Finding]) -> str:
    bad = sum(finding.level == "bad" for finding in found)
    return f"{bad} to mend, {len(found)} looked at" if bad else f"All well: {len(found)} looked at"
