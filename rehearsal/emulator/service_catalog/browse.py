"""Looking at provisioned products and the records of what was done to them."""

from ..service import AwsError, pages
from . import Request, catalog, found, tag_list
from .products import products
from .provisioned import KIND, ProvisionedProduct, Record, arn, provisioned, provisioned_products, records

SEARCHED = (
    "Arn Id Name Status Type PhysicalId ProductId ProductName ProvisioningArtifactId ProvisioningArtifactName "
    "LastRecordId LastProvisioningRecordId LastSuccessfulProvisioningRecordId UserArn UserArnSession"
)
SEARCH_FIELDS = {name[0].lower() + name[1:]: name for name in SEARCHED.split()}


def _common(item: ProvisionedProduct) -> Request:
    shown: Request = {"Name": item.name, "Arn": arn(item), "Type": KIND, "Id": item.id, "Status": item.status}
    shown |= {"CreatedTime": item.created, "IdempotencyToken": item.token, "LastRecordId": item.last_record}
    shown |= {"ProductId": item.product, "ProvisioningArtifactId": item.artifact}
    optional = {
        "StatusMessage": item.message,
        "LastProvisioningRecordId": item.last_provisioning,
        "LastSuccessfulProvisioningRecordId": item.last_success,
    }
    return shown | {name: value for name, value in optional.items() if value}


def _detail(item: ProvisionedProduct) -> Request:
    return _common(item) | ({"LaunchRoleArn": item.role} if item.role else {})


def _attributes(item: ProvisionedProduct) -> Request:
    shown = _common(item) | {"Tags": tag_list(item.tags), "UserArn": item.user, "UserArnSession": item.user}
    shown |= {"PhysicalId": item.stack_id} if item.stack_id else {}
    made_from = products.get(item.product)
    if made_from:
        shown["ProductName"] = made_from.texts["Name"]
        version = made_from.artifacts.get(item.artifact)
        shown |= {"ProvisioningArtifactName": version.name} if version else {}
    return shown


@catalog.operation
def describe_provisioned_product(request: Request) -> Request:
    return {"ProvisionedProductDetail": _detail(provisioned(request, "Id", "Name")), "CloudWatchDashboards": []}


@catalog.operation
def scan_provisioned_products(request: Request) -> Request:
    listed, token = pages([_detail(item) for item in provisioned_products.values()], request)
    return {"ProvisionedProducts": listed, "NextPageToken": token}


@catalog.operation
def search_provisioned_products(request: Request) -> Request:
    queries = (request.get("Filters") or {}).get("SearchQuery", [])
    kept = [
        shown
        for shown in map(_attributes, provisioned_products.values())
        if all(_fits(shown, query) for query in queries)
    ]
    listed, token = pages(kept, request)
    return {"ProvisionedProducts": listed, "TotalResultsCount": len(kept), "NextPageToken": token}


def _fits(shown: Request, query: str) -> bool:
    name, colon, value = query.partition(":")
    if not colon:
        return any(query.lower() in str(text).lower() for text in shown.values())
    if name not in SEARCH_FIELDS:
        raise AwsError("InvalidParametersException", f"Search by one of {', '.join(SEARCH_FIELDS)}, not by {name}.")
    return str(shown.get(SEARCH_FIELDS[name], "")).lower() == value.strip('"').lower()


@catalog.operation
def describe_record(request: Request) -> Request:
    record = found(records, request["Id"], "Record")
    listed, token = pages(record.outputs, request)
    return {"RecordDetail": record.detail(), "RecordOutputs": listed, "NextPageToken": token}


@catalog.operation
def list_record_history(request: Request) -> Request:
    wanted = request.get("SearchFilter") or {}
    fields = {"provisionedproduct": "provisioned", "product": "product"}
    if wanted and wanted["Key"] not in fields:
        raise AwsError(
            "InvalidParametersException", f"Search by product or provisionedproduct, not by {wanted['Key']}."
        )

    def fits(record: Record) -> bool:
        return not wanted or getattr(record, fields[wanted["Key"]]) == wanted["Value"]

    listed, token = pages([record.detail() for record in records.values()[::-1] if fits(record)], request)
    return {"RecordDetails": listed, "NextPageToken": token}


@catalog.operation
def get_provisioned_product_outputs(request: Request) -> Request:
    item = provisioned(request)
    record = records.get(item.last_success)
    wanted = request.get("OutputKeys")
    outputs = [
        output for output in (record.outputs if record else []) if wanted is None or output["OutputKey"] in wanted
    ]
    listed, token = pages(outputs, request)
    return {"Outputs": listed, "NextPageToken": token}
