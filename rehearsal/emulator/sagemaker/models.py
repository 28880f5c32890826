"""Models: which model package or archive, under which role. Nothing is opened before an endpoint or a job needs it."""

from botocore.exceptions import ClientError

from rehearsal.emulator.sagemaker import machine, objects, packages, sagemaker, tags
from rehearsal.emulator.sagemaker.objects import ObjectError
from rehearsal.emulator.sagemaker.resources import Document, arn, invalid, now, page, picked, selected
from rehearsal.emulator.sagemaker.validation import operation
from rehearsal.emulator.service import AwsError, Store, client, emit, region

models: Store[Document] = Store("models")


def find(name: str) -> Document:
    """A model. Raises ValidationException."""
    model = models.get(name.lower())
    if model is None:
        raise invalid(f'Could not find model "{arn("model", name)}".')
    return model


def container(model: Document) -> Document:
    """The primary or first container as it is run: a model package's, with the model's own environment on top."""
    own: Document = model.get("PrimaryContainer") or model["Containers"][0]
    if not own.get("ModelPackageName"):
        return own
    packaged = packages.container(packages.find(own["ModelPackageName"]))
    variables = {**(packaged.get("Environment") or {}), **(own.get("Environment") or {})}
    return {**packaged, "Environment": variables}


@operation
def create_model(request: Document) -> Document:
    """A model. As on AWS, a package must exist, and an archive must be readable by the role."""
    name = request["ModelName"]
    if name.lower() in models:
        raise invalid(f'Cannot create already existing model "{arn("model", name)}".')
    if not request.get("PrimaryContainer") and not request.get("Containers"):
        raise invalid("Either PrimaryContainer or Containers must be specified.")
    if not request.get("ExecutionRoleArn"):
        raise invalid("ExecutionRoleArn is required for a model with a container.")
    model = {key: value for key, value in request.items() if key != "Tags"}
    model |= {
        "ModelArn": arn("model", name),
        "CreationTime": now(),
        "EnableNetworkIsolation": bool(request.get("EnableNetworkIsolation")),
    }
    _require_deployable(model)
    models[name.lower()] = model
    if request.get("Tags"):
        sagemaker.call("AddTags", {"ResourceArn": model["ModelArn"], "Tags": request["Tags"]})
    _announce(model)
    return {"ModelArn": model["ModelArn"]}


def _require_deployable(model: Document) -> None:
    """A package must exist; whether it is approved is not asked, because nothing says that SageMaker does."""
    own = model.get("PrimaryContainer") or model["Containers"][0]
    if own.get("ModelPackageName"):
        packages.find_for_caller(own["ModelPackageName"], "sagemaker:CreateModel")
    data = container(model).get("ModelDataUrl")
    if data and not own.get("ModelPackageName"):
        _require_data(str(data), model["ExecutionRoleArn"])


def _require_data(uri: str, role: str) -> None:
    """In the words of CreateModel's own error."""
    try:
        bucket, key = objects.split(uri)
        client("s3", role=role, principal=machine.PRINCIPAL).head_object(Bucket=bucket, Key=key)
    except (ClientError, AwsError, ObjectError) as error:
        raise invalid(
            f'Could not access model data at {uri}. Please ensure that the role "{role}" exists and that its trust '
            'relationship policy allows the action "sts:AssumeRole" for the service principal '
            '"sagemaker.amazonaws.com". '
            'Also ensure that the role has "s3:GetObject" permissions and that the object is located in '
            f"{region()}. ({error})"
        ) from None


@operation
def describe_model(request: Document) -> Document:
    """As it was made."""
    return find(request["ModelName"])


@operation
def list_models(request: Document) -> Document:
    """Summaries, newest first unless asked otherwise."""
    found = selected(models.values(), request, name="ModelName", descending=True)
    return page("Models", [picked(model, ("ModelName", "ModelArn", "CreationTime")) for model in found], request)


@operation
def delete_model(request: Document) -> None:
    """Endpoints that serve it go on."""
    model = find(request["ModelName"])
    _announce(model)
    models.pop(request["ModelName"].lower())
    tags.forget(model["ModelArn"])


def _announce(model: Document) -> None:
    """Shape: "SageMaker model state change" of "Events that Amazon SageMaker AI sends to EventBridge"."""
    detail: Document = {**model, "CreationTime": int(model["CreationTime"] * 1000), "Tags": {}}
    emit("aws.sagemaker", "SageMaker Model State Change", detail, [model["ModelArn"]])
