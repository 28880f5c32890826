"""What the region where somebody publishes can do: the region itself is asked, before anything is written.

CloudFormation refuses a template that names a type which the region does not know, whatever the resource's Condition
says (aws-cloudformation/cloudformation-coverage-roadmap issue 2177). What a project can do without is left out
(joiner.OPTIONAL) and said; where anything else is missing, no project can work, and nothing is published.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from botocore.exceptions import ClientError

from service_catalog import errors, joiner
from service_catalog.aws.account import Account
from service_catalog.errors import AccessError
from service_catalog.plan import Change
from service_catalog.release import Source
from service_catalog.template import Template

# Word of joiner.OPTIONAL: what its absence means for people.
WITHOUT = {
    "CodeCommit": "the form offers RepositoryProvider=Connection only",
    "Budgets": "the form has no MonthlyBudget",
}


@dataclass(frozen=True)
class Region:
    """What is missing in an account's region: words of joiner.OPTIONAL, and types that every project needs."""

    account: Account
    lacking: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    # Why nobody could ask.
    unasked: str = ""

    @classmethod
    def look(cls, account: Account, templates: Sequence[Template]) -> "Region":
        """Ask about every type of these templates, of which the first is the product's.

        Raises AccessError for a partition that cannot have projects.
        """
        require_partition(account, templates[0])
        try:
            unknown = {name for name in sorted(types(templates)) if not account.knows(name)}
        except ClientError as error:
            if not errors.is_denied(error):
                raise
            return cls(account, unasked=str(errors.explain(error)))
        lacking = tuple(word for word, name in joiner.OPTIONAL.items() if name in unknown)
        return cls(account, lacking, tuple(sorted(unknown - set(joiner.OPTIONAL.values()))))

    def source(self, source: Source) -> Source:
        """What is published here. Raises AccessError where no project can work."""
        if self.needed:
            raise AccessError(self.refusal())
        product = joiner.template(source.product.name, lacking=self.lacking) if self.lacking else source.product
        return replace(source, product=product)

    def refusal(self) -> str:
        """Why nothing can be published here, and what to do."""
        return (
            f"No project can work in {self.account.region}: its CloudFormation does not know "
            f"{', '.join(self.needed)}. Choose another region with --region; docs/operating.md lists them."
        )

    def changes(self) -> Iterator[Change]:
        """What is left out, for the plan."""
        for word in self.lacking:
            detail = f"{self.account.region} has no {joiner.OPTIONAL[word]}: {WITHOUT[word]}"
            yield Change("note", "region", word, detail, place=self.account.place)
        if self.unasked:
            detail = (
                f"nobody asked {self.account.region} which types it has, so the template is published whole: "
                f"{self.unasked}"
            )
            yield Change("note", "region", self.account.region, detail, place=self.account.place)


def require_partition(account: Account, product: Template) -> None:
    """Raises AccessError for a partition that the product does not know.

    CodePipeline's action for CloudFormation, which releases, is not in China (CodePipeline user guide, "AWS
    CloudFormation deploy action reference"); nobody looked at the partitions that are closed to the public.
    """
    known = product.document["Mappings"]["Partitions"]
    if account.partition not in known:
        raise AccessError(
            f"No project can work in partition {account.partition} ({account.region}): its CodePipeline has no action "
            f"that deploys with CloudFormation, or nobody looked. Choose a region of {' or '.join(sorted(known))}."
        )


def types(templates: Iterable[Template]) -> set[str]:
    """Every resource type that they name."""
    return {resource["Type"] for template in templates for resource in template.resources.values()}
