"""Endpoint configurations, with the checks of CreateEndpointConfig that the API's model does not say."""

from rehearsal.emulator.sagemaker import models, sagemaker, tags
from rehearsal.emulator.sagemaker.resources import Document, arn, invalid, now, page, picked, selected
from rehearsal.emulator.sagemaker.validation import operation
from rehearsal.emulator.service import Store

configs: Store[Document] = Store("configs")


def find(name: str) -> Document:
    """A configuration. Raises ValidationException."""
    config = configs.get(name.lower())
    if config is None:
        raise invalid(f'Could not find endpoint configuration "{arn("endpoint-config", name)}".')
    return config


def variants(config: Document) -> list[Document]:
    """Production and shadow variants."""
    return [*config["ProductionVariants"], *(config.get("ShadowProductionVariants") or [])]


@operation
def create_endpoint_config(request: Document) -> Document:
    """A configuration; it can never be changed."""
    name = request["EndpointConfigName"]
    if name.lower() in configs:
        raise invalid(f'Cannot create already existing endpoint configuration "{arn("endpoint-config", name)}".')
    for variant in variants(request):
        _require_variant(variant)
    _require_together(request)
    config = {key: value for key, value in request.items() if key != "Tags"}
    config |= {"EndpointConfigArn": arn("endpoint-config", name), "CreationTime": now()}
    configs[name.lower()] = config
    if request.get("Tags"):
        sagemaker.call("AddTags", {"ResourceArn": config["EndpointConfigArn"], "Tags": request["Tags"]})
    return {"EndpointConfigArn": config["EndpointConfigArn"]}


def _require_variant(variant: Document) -> None:
    name = variant["VariantName"]
    if not variant.get("ModelName"):
        raise invalid(
            f"Production variant {name} has no ModelName; inference components are not part of the rehearsal."
        )
    models.find(variant["ModelName"])
    if variant.get("ServerlessConfig"):
        if variant.get("InstanceType") or variant.get("InitialInstanceCount"):
            raise invalid(
                f"Production variant {name}: InstanceType and InitialInstanceCount must not be given with a "
                "ServerlessConfig."
            )
    elif not variant.get("InstanceType") or not variant.get("InitialInstanceCount"):
        raise invalid(f"Production variant {name} needs InstanceType and InitialInstanceCount, or ServerlessConfig.")


def _require_together(request: Document) -> None:
    names = [variant["VariantName"] for variant in variants(request)]
    if len(set(names)) < len(names):
        raise invalid("Production variant names must be unique within an endpoint configuration.")
    serverless = any(variant.get("ServerlessConfig") for variant in variants(request))
    production, shadow = request["ProductionVariants"], request.get("ShadowProductionVariants") or []
    # CreateEndpointConfig in the API reference: "If you use this field, you can only specify one variant for
    # ProductionVariants and one variant for ShadowProductionVariants".
    if shadow and (len(production) != 1 or len(shadow) != 1):
        raise invalid("With ShadowProductionVariants there must be one production variant and one shadow variant.")
    capture = request.get("DataCaptureConfig") or {}
    if capture.get("EnableCapture") and (serverless or request.get("AsyncInferenceConfig")):
        raise invalid("Data capture is not supported for serverless and asynchronous endpoints.")
    if serverless and request.get("AsyncInferenceConfig"):
        raise invalid("An endpoint cannot be serverless and asynchronous.")


@operation
def describe_endpoint_config(request: Document) -> Document:
    """As it was made."""
    return find(request["EndpointConfigName"])


@operation
def list_endpoint_configs(request: Document) -> Document:
    """Summaries, newest first unless asked otherwise."""
    members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
    found = selected(configs.values(), request, name="EndpointConfigName", descending=True)
    return page("EndpointConfigs", [picked(config, members) for config in found], request)


@operation
def delete_endpoint_config(request: Document) -> None:
    """Also one in use: what runs goes on, as on AWS, where it is advised against."""
    config = find(request["EndpointConfigName"])
    configs.pop(request["EndpointConfigName"].lower())
    tags.forget(config["EndpointConfigArn"])
