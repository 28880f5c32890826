"""AWS::SageMaker types of the control plane, made with the API as whoever CloudFormation acts for."""

import json
import secrets
from typing import Any

from ..provisioning import Context, Properties, own_tags, provisioner, tag_changes


def _update_tags(api: Any, arn: str, old: Properties, new: Properties) -> None:
    added, removed = tag_changes(old, new)
    if added:
        api.add_tags(ResourceArn=arn, Tags=added)
    if removed:
        api.delete_tags(ResourceArn=arn, TagKeys=removed)


@provisioner(
    "AWS::SageMaker::ModelPackageGroup",
    create_only=("ModelPackageGroupName", "ModelPackageGroupDescription"),
    tags=True,
)
class ModelPackageGroup:
    """Ref is the group's ARN."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        api, name = context.client("sagemaker"), properties["ModelPackageGroupName"]
        described = {"ModelPackageGroupDescription": properties.get("ModelPackageGroupDescription")}
        optional = {key: value for key, value in described.items() if value is not None}
        made = api.create_model_package_group(ModelPackageGroupName=name, Tags=own_tags(properties), **optional)
        self._set_policy(api, name, properties)
        return made["ModelPackageGroupArn"], self._attributes(api, name)

    def _attributes(self, api: Any, name: str) -> Properties:
        shown = api.describe_model_package_group(ModelPackageGroupName=name)
        attributes = {key: shown[key] for key in ("ModelPackageGroupArn", "ModelPackageGroupStatus")}
        return attributes | {"CreationTime": shown["CreationTime"].isoformat()}

    def _set_policy(self, api: Any, name: str, properties: Properties) -> None:
        policy = properties.get("ModelPackageGroupPolicy")
        if policy is not None:
            document = policy if isinstance(policy, str) else json.dumps(policy)
            api.put_model_package_group_policy(ModelPackageGroupName=name, ResourcePolicy=document)

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        api, name = context.client("sagemaker"), new["ModelPackageGroupName"]
        if "ModelPackageGroupPolicy" in old and "ModelPackageGroupPolicy" not in new:
            api.delete_model_package_group_policy(ModelPackageGroupName=name)
        self._set_policy(api, name, new)
        _update_tags(api, ref, old, new)
        return self._attributes(api, name)

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("sagemaker").delete_model_package_group(ModelPackageGroupName=ref.rpartition("/")[2])


@provisioner("AWS::SageMaker::CodeRepository", create_only=("CodeRepositoryName",), tags=True)
class CodeRepository:
    """Ref is the repository's ARN."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        name = properties.get("CodeRepositoryName") or f"{context.logical_id[:50]}-{secrets.token_hex(6)}"
        made = context.client("sagemaker").create_code_repository(
            CodeRepositoryName=name, GitConfig=dict(properties["GitConfig"]), Tags=own_tags(properties)
        )
        arn = made["CodeRepositoryArn"]
        return arn, {"CodeRepositoryArn": arn, "CodeRepositoryName": name}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        api, name = context.client("sagemaker"), ref.rpartition("/")[2]
        secret = {key: value for key, value in new["GitConfig"].items() if key == "SecretArn"}
        api.update_code_repository(CodeRepositoryName=name, GitConfig=secret)
        _update_tags(api, ref, old, new)
        return {"CodeRepositoryArn": ref, "CodeRepositoryName": name}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("sagemaker").delete_code_repository(CodeRepositoryName=ref.rpartition("/")[2])
