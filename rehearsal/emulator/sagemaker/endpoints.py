"""Endpoints as data: create, update, describe, list, delete. What happens to their fleets is in deployments.py."""

from rehearsal.emulator import application_autoscaling
from rehearsal.emulator.sagemaker import configs, deployments, sagemaker, tags
from rehearsal.emulator.sagemaker.endpointstate import changes, endpoints, find
from rehearsal.emulator.sagemaker.resources import Document, arn, invalid, now, page, picked, selected
from rehearsal.emulator.sagemaker.validation import operation
from rehearsal.emulator.service import on_restore, spawn

_SHOWN = (
    "EndpointName",
    "EndpointArn",
    "EndpointConfigName",
    "EndpointStatus",
    "FailureReason",
    "CreationTime",
    "LastModifiedTime",
    "LastDeploymentConfig",
    "PendingDeploymentSummary",
)


@operation
def create_endpoint(request: Document) -> Document:
    """An endpoint; its servers start in the background."""
    name, moment = request["EndpointName"], now()
    config = configs.find(request["EndpointConfigName"])
    endpoint = {
        "EndpointName": name,
        "EndpointArn": arn("endpoint", name),
        "EndpointConfigName": config["EndpointConfigName"],
        "EndpointStatus": "Creating",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "Config": config,
        "Variants": {},
    }
    if endpoints.setdefault(name.lower(), endpoint) is not endpoint:
        raise invalid(f'Cannot create already existing endpoint "{endpoint["EndpointArn"]}".')
    if request.get("Tags"):
        sagemaker.call("AddTags", {"ResourceArn": endpoint["EndpointArn"], "Tags": request["Tags"]})
    if request.get("DeploymentConfig"):
        endpoint["LastDeploymentConfig"] = request["DeploymentConfig"]
    changes.announce(endpoint)
    spawn(deployments.create, endpoint)
    return {"EndpointArn": endpoint["EndpointArn"]}


@operation
def update_endpoint(request: Document) -> Document:
    """Another configuration, deployed blue/green. Refused while the endpoint is being changed or has never worked."""
    endpoint, config = find(request["EndpointName"]), configs.find(request["EndpointConfigName"])
    policy = request.get("DeploymentConfig")
    if request.get("RetainDeploymentConfig") and not policy:
        policy = endpoint.get("LastDeploymentConfig")
    deployments.require_policy(config, policy)
    _require_unscaled(endpoint, config)
    changes.begin(endpoint, "Updating")
    if policy:
        endpoint["LastDeploymentConfig"] = policy
    spawn(deployments.update, endpoint, config, policy, _retained(endpoint, request))
    return {"EndpointArn": endpoint["EndpointArn"]}


def _require_unscaled(endpoint: Document, config: Document) -> None:
    """A new instance type needs the variant to be deregistered first: developer guide, "Update or delete endpoints that
    use automatic scaling"."""
    before = {
        variant["VariantName"]: variant.get("InstanceType") for variant in endpoint["Config"]["ProductionVariants"]
    }
    for variant in config["ProductionVariants"]:
        name = variant["VariantName"]
        resource = f"endpoint/{endpoint['EndpointName']}/variant/{name}"
        scaled = any(target["ResourceId"] == resource for target in application_autoscaling.targets.values())
        if scaled and name in before and before[name] != variant.get("InstanceType"):
            raise invalid(f"Variant {name} is a scalable target: deregister it before its InstanceType changes.")


def _retained(endpoint: Document, request: Document) -> dict[str, Document]:
    """By variant, the counts and weights that the new configuration does not get to say."""
    if not request.get("RetainAllVariantProperties"):
        return {}
    excluded = {entry["VariantPropertyType"] for entry in request.get("ExcludeRetainedVariantProperties") or []}
    names = {"DesiredInstanceCount", "DesiredWeight"} - excluded
    return {name: picked(state, names) for name, state in endpoint["Variants"].items()}


@operation
def update_endpoint_weights_and_capacities(request: Document) -> Document:
    """Other weights and counts, without new servers."""
    endpoint = find(request["EndpointName"])
    changes.begin(endpoint, "Updating")
    for wanted in request["DesiredWeightsAndCapacities"]:
        state = endpoint["Variants"].get(wanted["VariantName"])
        if state is None:
            changes.settle(endpoint, "InService")
            raise invalid(f"Variant {wanted['VariantName']} not found in endpoint {endpoint['EndpointName']}.")
        for name in ("DesiredWeight", "DesiredInstanceCount"):
            if wanted.get(name) is not None:
                state[name] = state[name.replace("Desired", "Current")] = wanted[name]
    changes.settle(endpoint, "InService")
    return {"EndpointArn": endpoint["EndpointArn"]}


@operation
def describe_endpoint(request: Document) -> Document:
    """As it is now."""
    endpoint = find(request["EndpointName"])
    config = endpoint["Config"]
    shadow = {variant["VariantName"] for variant in config.get("ShadowProductionVariants") or []}
    states = [{"VariantName": name, **state} for name, state in endpoint["Variants"].items()]
    answer = picked(endpoint, _SHOWN)
    answer["ProductionVariants"] = [state for state in states if state["VariantName"] not in shadow]
    if shadow:
        answer["ShadowProductionVariants"] = [state for state in states if state["VariantName"] in shadow]
    if config.get("AsyncInferenceConfig"):
        answer["AsyncInferenceConfig"] = config["AsyncInferenceConfig"]
    return answer | _capture(endpoint)


def _capture(endpoint: Document) -> Document:
    settings = endpoint["Config"].get("DataCaptureConfig")
    if not settings:
        return {}
    enabled = bool(settings.get("EnableCapture"))
    summary = {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled and endpoint["EndpointStatus"] != "Failed" else "Stopped",
        "CurrentSamplingPercentage": settings["InitialSamplingPercentage"],
        "DestinationS3Uri": settings["DestinationS3Uri"],
        "KmsKeyId": settings.get("KmsKeyId", ""),
    }
    return {"DataCaptureConfig": summary}


@operation
def list_endpoints(request: Document) -> Document:
    """Summaries, newest first unless asked otherwise."""
    members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
    status = request.get("StatusEquals")
    fitting = [endpoint for endpoint in endpoints.values() if status in (None, endpoint["EndpointStatus"])]
    found = selected(fitting, request, name="EndpointName", descending=True)
    return page("Endpoints", [picked(endpoint, members) for endpoint in found], request)


@operation
def delete_endpoint(request: Document) -> None:
    """With its servers. Refused while it is being created or updated."""
    endpoint = find(request["EndpointName"])
    if endpoint["EndpointStatus"] in ("Creating", "Updating", "RollingBack", "Deleting"):
        raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
    changes.settle(endpoint, "Deleting")
    endpoints.pop(endpoint["EndpointName"].lower())
    tags.forget(endpoint["EndpointArn"])
    spawn(deployments.end, endpoint)


@on_restore
def start_again() -> None:
    """After a restart the servers are gone: start them afresh, with the configuration that was in service."""
    for account, region, _, endpoint in endpoints.everywhere():
        if endpoint["EndpointStatus"] not in ("Failed", "Deleting"):
            deployments.resume(account, region, endpoint)
