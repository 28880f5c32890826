"""Studio domains and user profiles as far as projects need them; whether AWS's own templates are switched on."""

import time
from typing import Any

from ..service import AwsError, Store, new_id, pages
from . import sagemaker, tags
from .lists import arn

Request = dict[str, Any]
domains: Store[Request] = Store("domains")
profiles: Store[Request] = Store("profiles")
portfolio_status: Store[str] = Store("portfolio_status")
SUMMARY = ("DomainArn", "DomainId", "DomainName", "Status", "CreationTime", "LastModifiedTime", "Url")
KEPT = (
    "AppNetworkAccessType",
    "AppSecurityGroupManagement",
    "AuthMode",
    "DefaultSpaceSettings",
    "DefaultUserSettings",
    "DomainName",
    "DomainSettings",
    "KmsKeyId",
    "SubnetIds",
    "TagPropagation",
    "VpcId",
)


def _domain(domain_id: str) -> Request:
    found = domains.get(domain_id)
    if found is None:
        raise AwsError("ResourceNotFound", f"Domain [{domain_id}] does not exist.")
    return found


@sagemaker.operation
def create_domain(request: Request) -> Request:
    if any(item["DomainName"] == request["DomainName"] for item in domains.values()):
        raise AwsError("ResourceInUse", f"A domain named {request['DomainName']} exists already.")
    domain_id = new_id("d-", 12)
    made = {key: request[key] for key in KEPT if key in request}
    made |= {"DomainId": domain_id, "DomainArn": arn("domain", domain_id), "Status": "InService"}
    made |= {"CreationTime": time.time(), "LastModifiedTime": time.time()}
    made["Url"] = f"https://{domain_id}.studio.us-east-1.sagemaker.aws"
    domains[domain_id] = made
    tags.remember(made["DomainArn"], request.get("Tags"))
    return {"DomainArn": made["DomainArn"], "DomainId": domain_id, "Url": made["Url"]}


@sagemaker.operation
def describe_domain(request: Request) -> Request:
    return _domain(request["DomainId"])


@sagemaker.operation
def list_domains(request: Request) -> Request:
    shown = [{key: item[key] for key in SUMMARY} for item in domains.values()]
    listed, token = pages(shown, request, size="MaxResults", marker="NextToken")
    return {"Domains": listed, "NextToken": token}


@sagemaker.operation
def update_domain(request: Request) -> Request:
    changed = _domain(request["DomainId"])
    for key in ("DefaultUserSettings", "DefaultSpaceSettings"):
        if key in request:
            changed[key] = changed.get(key, {}) | request[key]
    settings = request.get("DomainSettingsForUpdate")
    if settings:
        changed["DomainSettings"] = changed.get("DomainSettings", {}) | settings
    changed["LastModifiedTime"] = time.time()
    return {"DomainArn": changed["DomainArn"]}


@sagemaker.operation
def delete_domain(request: Request) -> None:
    doomed = _domain(request["DomainId"])
    if any(item["DomainId"] == doomed["DomainId"] for item in profiles.values()):
        raise AwsError("ResourceInUse", f"Domain {doomed['DomainId']} still has user profiles.")
    domains.pop(doomed["DomainId"])
    tags.forget(doomed["DomainArn"])


@sagemaker.operation
def create_user_profile(request: Request) -> Request:
    domain = _domain(request["DomainId"])
    name = f"{domain['DomainId']}/{request['UserProfileName']}"
    made: Request = {key: request[key] for key in ("DomainId", "UserProfileName", "UserSettings") if key in request}
    made |= {"UserProfileArn": arn("user-profile", name), "Status": "InService"}
    made |= {"CreationTime": time.time(), "LastModifiedTime": time.time()}
    if profiles.setdefault(name, made) is not made:
        raise AwsError("ResourceInUse", f"User profile {name} exists already.")
    tags.remember(made["UserProfileArn"], request.get("Tags"))
    return {"UserProfileArn": made["UserProfileArn"]}


@sagemaker.operation
def describe_user_profile(request: Request) -> Request:
    found = profiles.get(f"{request['DomainId']}/{request['UserProfileName']}")
    if found is None:
        raise AwsError("ResourceNotFound", f"User profile [{request['UserProfileName']}] does not exist.")
    return found


@sagemaker.operation
def list_user_profiles(request: Request) -> Request:
    kept = [item for item in profiles.values() if request.get("DomainIdEquals") in (None, item["DomainId"])]
    named = ("DomainId", "UserProfileName", "Status", "CreationTime", "LastModifiedTime")
    wanted = request.get("UserProfileNameContains", "")
    shown = [{key: item[key] for key in named} for item in kept if wanted in item["UserProfileName"]]
    listed, token = pages(shown, request, size="MaxResults", marker="NextToken")
    return {"UserProfiles": listed, "NextToken": token}


@sagemaker.operation
def delete_user_profile(request: Request) -> None:
    doomed = describe_user_profile(request) or {}
    profiles.pop(f"{request['DomainId']}/{request['UserProfileName']}")
    tags.forget(doomed["UserProfileArn"])


@sagemaker.operation
def enable_sagemaker_servicecatalog_portfolio(request: Request) -> Request:
    portfolio_status["status"] = "Enabled"
    return {}


@sagemaker.operation
def disable_sagemaker_servicecatalog_portfolio(request: Request) -> Request:
    portfolio_status["status"] = "Disabled"
    return {}


@sagemaker.operation
def get_sagemaker_servicecatalog_portfolio_status(request: Request) -> Request:
    return {"Status": portfolio_status.get("status") or "Disabled"}
