"""Tag options: the values that a portfolio or product prescribes for tags of what is provisioned from it."""

from dataclasses import dataclass, field

from ..service import AwsError, Store, account, new_id, pages, region
from . import Request, catalog, found


@dataclass
class TagOption:
    """One allowed value of a key, and the identifiers of the portfolios and products that it holds for."""

    id: str
    key: str
    value: str
    active: bool = True
    resources: list[str] = field(default_factory=list)

    def detail(self) -> Request:
        """As AWS describes it."""
        return {"Key": self.key, "Value": self.value, "Active": self.active, "Id": self.id, "Owner": account()}


tag_options: Store[TagOption] = Store("tag_options")


def options_of(resource: str) -> list[Request]:
    """The details of the tag options that hold for a portfolio or product."""
    return [option.detail() for option in tag_options.values() if resource in option.resources]


def _refuse_duplicate(key: str, value: str) -> None:
    if any((option.key, option.value) == (key, value) for option in tag_options.values()):
        raise AwsError("DuplicateResourceException", f"A tag option {key}={value} exists already.")


@catalog.operation
def create_tag_option(request: Request) -> Request:
    _refuse_duplicate(request["Key"], request["Value"])
    made = TagOption(new_id("tag-"), request["Key"], request["Value"])
    tag_options[made.id] = made
    return {"TagOptionDetail": made.detail()}


@catalog.operation
def describe_tag_option(request: Request) -> Request:
    return {"TagOptionDetail": found(tag_options, request["Id"], "TagOption").detail()}


@catalog.operation
def update_tag_option(request: Request) -> Request:
    option = found(tag_options, request["Id"], "TagOption")
    value = request.get("Value", option.value)
    if value != option.value:
        _refuse_duplicate(option.key, value)
    option.value, option.active = value, request.get("Active", option.active)
    return {"TagOptionDetail": option.detail()}


@catalog.operation
def delete_tag_option(request: Request) -> Request:
    if found(tag_options, request["Id"], "TagOption").resources:
        raise AwsError("ResourceInUseException", f"TagOption {request['Id']} is still associated with resources.")
    del tag_options[request["Id"]]
    return {}


@catalog.operation
def list_tag_options(request: Request) -> Request:
    wanted = request.get("Filters") or {}
    all_options = [option.detail() for option in tag_options.values()]
    matching = [item for item in all_options if all(item[name] == value for name, value in wanted.items())]
    listed, token = pages(matching, request)
    return {"TagOptionDetails": listed, "PageToken": token}


@catalog.operation
def associate_tag_option_with_resource(request: Request) -> Request:
    option = found(tag_options, request["TagOptionId"], "TagOption")
    if request["ResourceId"] in option.resources:
        raise AwsError("DuplicateResourceException", f"{option.id} holds for {request['ResourceId']} already.")
    option.resources.append(request["ResourceId"])
    return {}


@catalog.operation
def disassociate_tag_option_from_resource(request: Request) -> Request:
    option = found(tag_options, request["TagOptionId"], "TagOption")
    if request["ResourceId"] not in option.resources:
        raise AwsError("ResourceNotFoundException", f"{option.id} does not hold for {request['ResourceId']}.")
    option.resources.remove(request["ResourceId"])
    return {}


@catalog.operation
def list_resources_for_tag_option(request: Request) -> Request:
    option = found(tag_options, request["TagOptionId"], "TagOption")
    listed, token = pages([{"Id": item, "ARN": _arn(item)} for item in option.resources], request)
    return {"ResourceDetails": listed, "PageToken": token}


def _arn(resource: str) -> str:
    kind = "portfolio" if resource.startswith("port-") else "product"
    return f"arn:aws:catalog:{region()}:{account()}:{kind}/{resource}"
