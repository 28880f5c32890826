"""What ministack's own provisioners leave out of types that our templates use: done once it made the resource.

The calls are the account's own: whether CloudFormation's role may make the whole resource was asked before.
"""

from ..provisioning import Context, Properties, completes, own_tags
from ..service import client


@completes("AWS::IAM::Role")
def role(ref: str, properties: Properties, context: Context) -> None:
    """The permissions boundary."""
    boundary = properties.get("PermissionsBoundary")
    if boundary:
        client("iam").put_role_permissions_boundary(RoleName=ref, PermissionsBoundary=boundary)


@completes("AWS::S3::Bucket")
def bucket(ref: str, properties: Properties, context: Context) -> None:
    """Encryption, ownership, lifecycle and tags, the stack's among them."""
    api = client("s3")
    encryption = properties.get("BucketEncryption")
    if encryption:
        rules = [_encryption(rule) for rule in encryption["ServerSideEncryptionConfiguration"]]
        api.put_bucket_encryption(Bucket=ref, ServerSideEncryptionConfiguration={"Rules": rules})
    if properties.get("OwnershipControls"):
        api.put_bucket_ownership_controls(Bucket=ref, OwnershipControls=_plain(properties["OwnershipControls"]))
    if properties.get("LifecycleConfiguration"):
        rules = [_lifecycle(rule) for rule in properties["LifecycleConfiguration"]["Rules"]]
        api.put_bucket_lifecycle_configuration(Bucket=ref, LifecycleConfiguration={"Rules": rules})
    tags = {tag["Key"]: tag["Value"] for tag in own_tags(properties)}
    tags = dict(context.stack_tags) | tags
    if tags:
        tagged = [{"Key": key, "Value": value} for key, value in tags.items()]
        api.put_bucket_tagging(Bucket=ref, Tagging={"TagSet": tagged})


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _encryption(rule: Properties) -> Properties:
    given = dict(rule)
    default = given.pop("ServerSideEncryptionByDefault", None)
    applied: Properties = {"ApplyServerSideEncryptionByDefault": dict(default)} if default else {}
    return applied | (
        {"BucketKeyEnabled": str(given["BucketKeyEnabled"]).lower() == "true"} if "BucketKeyEnabled" in given else {}
    )


NESTED = ("AbortIncompleteMultipartUpload", "NoncurrentVersionExpiration")


def _lifecycle(rule: Properties) -> Properties:
    made: Properties = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        made["ID"] = rule["Id"]
    expiration = {}
    if "ExpirationInDays" in rule:
        expiration["Days"] = int(rule["ExpirationInDays"])
    if "ExpiredObjectDeleteMarker" in rule:
        expiration["ExpiredObjectDeleteMarker"] = str(rule["ExpiredObjectDeleteMarker"]).lower() == "true"
    if expiration:
        made["Expiration"] = expiration
    if "Transitions" in rule:
        made["Transitions"] = [_transition(item) for item in rule["Transitions"]]
    for name in NESTED:
        if name in rule:
            made[name] = {key: int(value) for key, value in rule[name].items()}
    return made


def _transition(given: Properties) -> Properties:
    days = {"Days": int(given["TransitionInDays"])} if "TransitionInDays" in given else {}
    return {"StorageClass": given["StorageClass"]} | days


@completes("AWS::SNS::Topic")
def topic(ref: str, properties: Properties, context: Context) -> None:
    """The key."""
    key = properties.get("KmsMasterKeyId")
    if key:
        client("sns").set_topic_attributes(TopicArn=ref, AttributeName="KmsMasterKeyId", AttributeValue=key)


@completes("AWS::ApiGateway::Method")
def method(ref: str, properties: Properties, context: Context) -> None:
    """What looks at bodies before the integration does."""
    if properties.get("RequestValidatorId"):
        place = {name[0].lower() + name[1:]: properties[name] for name in ("RestApiId", "ResourceId", "HttpMethod")}
        change = {"op": "replace", "path": "/requestValidatorId", "value": properties["RequestValidatorId"]}
        client("apigateway").update_method(**place, patchOperations=[change])
