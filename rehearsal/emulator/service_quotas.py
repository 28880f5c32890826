"""Service Quotas: what a new account may have of SageMaker's instances, raised at once when somebody asks.

Values and codes are the rehearsal's: AWS's defaults differ by account and region.
"""

import hashlib
from typing import Any

from .service import AwsError, Service, Store, account, new_id, pages, region

quotas = Service("servicequotas", target="ServiceQuotasV20190624")
Request = dict[str, Any]
INSTANCES = ("ml.t2.medium", "ml.t3.medium", "ml.m5.large", "ml.m5.xlarge", "ml.c5.large", "ml.c5.xlarge")
USES = (
    "endpoint usage",
    "processing job usage",
    "training job usage",
    "transform job usage",
    "spot training job usage",
)
DEFAULT = 4.0
_raised: Store[float] = Store("raised")


def _quota(name: str, default: bool) -> Request:
    code = f"L-{hashlib.sha256(name.encode()).hexdigest()[:8].upper()}"
    return {
        "ServiceCode": "sagemaker",
        "ServiceName": "Amazon SageMaker",
        "QuotaArn": f"arn:aws:servicequotas:{region()}:{account()}:sagemaker/{code}",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": DEFAULT if default else _raised.get(code) or DEFAULT,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _all(request: Request, *, default: bool = False) -> list[Request]:
    if request["ServiceCode"] != "sagemaker":
        raise AwsError("NoSuchResourceException", f"The rehearsal has no quotas of {request['ServiceCode']}.")
    return [_quota(f"{instance} for {use}", default) for use in USES for instance in INSTANCES]


@quotas.operation
def list_service_quotas(request: Request) -> Request:
    listed, token = pages(_all(request), request, size="MaxResults", marker="NextToken")
    return {"Quotas": listed, "NextToken": token}


def _list_defaults(request: Request) -> Request:
    listed, token = pages(_all(request, default=True), request, size="MaxResults", marker="NextToken")
    return {"Quotas": listed, "NextToken": token}


quotas.operations["ListAWSDefaultServiceQuotas"] = _list_defaults


@quotas.operation
def get_service_quota(request: Request) -> Request:
    for quota in _all(request):
        if quota["QuotaCode"] == request["QuotaCode"]:
            return {"Quota": quota}
    raise AwsError("NoSuchResourceException", f"There is no quota {request['QuotaCode']}.")


@quotas.operation
def request_service_quota_increase(request: Request) -> Request:
    quota = (get_service_quota(request) or {})["Quota"]
    _raised[quota["QuotaCode"]] = request["DesiredValue"]
    told = {key: quota[key] for key in ("ServiceCode", "ServiceName", "QuotaCode", "QuotaName")}
    return {"RequestedQuota": told | {"Id": new_id(), "DesiredValue": request["DesiredValue"], "Status": "APPROVED"}}
