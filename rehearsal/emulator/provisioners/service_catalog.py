"""AWS::ServiceCatalog types, made with the API as whoever CloudFormation acts for."""

from ..provisioning import Context, Properties, own_tags, provisioner, tag_changes
from ..service import new_id


@provisioner("AWS::ServiceCatalog::Portfolio", tags=True)
class Portfolio:
    """Ref is the portfolio's id."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        made = context.client("servicecatalog").create_portfolio(
            DisplayName=properties["DisplayName"],
            ProviderName=properties["ProviderName"],
            Tags=own_tags(properties),
            IdempotencyToken=new_id(length=32),
            **({"Description": properties["Description"]} if "Description" in properties else {}),
        )["PortfolioDetail"]
        return made["Id"], {"Id": made["Id"], "PortfolioName": made["DisplayName"]}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        added, removed = tag_changes(old, new)
        context.client("servicecatalog").update_portfolio(
            Id=ref,
            DisplayName=new["DisplayName"],
            ProviderName=new["ProviderName"],
            Description=new.get("Description", ""),
            AddTags=added,
            RemoveTags=removed,
        )
        return {"Id": ref, "PortfolioName": new["DisplayName"]}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("servicecatalog").delete_portfolio(Id=ref)


@provisioner(
    "AWS::ServiceCatalog::PortfolioPrincipalAssociation",
    create_only=("AcceptLanguage", "PortfolioId", "PrincipalARN", "PrincipalType"),
)
class PortfolioPrincipalAssociation:
    """Ref is both identifiers."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        portfolio, principal = properties["PortfolioId"], properties["PrincipalARN"]
        context.client("servicecatalog").associate_principal_with_portfolio(
            PortfolioId=portfolio, PrincipalARN=principal, PrincipalType=properties["PrincipalType"]
        )
        return f"{portfolio}|{principal}", {}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        raise AssertionError("every property of an association replaces it")

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        portfolio, _, principal = ref.partition("|")
        context.client("servicecatalog").disassociate_principal_from_portfolio(
            PortfolioId=portfolio, PrincipalARN=principal, PrincipalType=properties["PrincipalType"]
        )


@provisioner("AWS::ServiceCatalog::TagOption", create_only=("Key", "Value"))
class TagOption:
    """Ref is the tag option's id."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        catalog = context.client("servicecatalog")
        made = catalog.create_tag_option(Key=properties["Key"], Value=properties["Value"])["TagOptionDetail"]
        if "Active" in properties:
            catalog.update_tag_option(Id=made["Id"], Active=_is_true(properties["Active"]))
        return made["Id"], {"Id": made["Id"]}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        context.client("servicecatalog").update_tag_option(Id=ref, Active=_is_true(new.get("Active", True)))
        return {"Id": ref}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("servicecatalog").delete_tag_option(Id=ref)


def _is_true(value: object) -> bool:
    return str(value).lower() == "true"


@provisioner("AWS::ServiceCatalog::TagOptionAssociation", create_only=("ResourceId", "TagOptionId"))
class TagOptionAssociation:
    """Ref is both identifiers."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        option, resource = properties["TagOptionId"], properties["ResourceId"]
        context.client("servicecatalog").associate_tag_option_with_resource(ResourceId=resource, TagOptionId=option)
        return f"{option}|{resource}", {}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        raise AssertionError("every property of an association replaces it")

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        option, _, resource = ref.partition("|")
        context.client("servicecatalog").disassociate_tag_option_from_resource(ResourceId=resource, TagOptionId=option)
