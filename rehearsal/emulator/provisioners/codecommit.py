"""AWS::CodeCommit::Repository, seeded from Code.S3 when it is made; later changes of Code mean nothing, as on AWS."""

from typing import Any

from rehearsal.emulator.codecommit import repositories
from rehearsal.emulator.provisioning import Context, provisioner
from rehearsal.emulator.service import AwsError


@provisioner("AWS::CodeCommit::Repository", create_only=("RepositoryName",), tags=True)
class Repository:
    """Triggers are refused: the pipelines of this product listen to events."""

    def create(self, properties: dict[str, Any], context: Context) -> tuple[str, dict[str, Any]]:
        """The repository and its first commit; without the seed there is no repository either."""
        if properties.get("Triggers"):
            raise AwsError(
                "ValidationException", "AWS::CodeCommit::Repository: Triggers are not part of the rehearsal."
            )
        tags = {str(tag["Key"]): str(tag["Value"]) for tag in properties.get("Tags") or []}
        archive = _archive(properties.get("Code"), context)
        record = repositories.create(
            properties["RepositoryName"],
            properties.get("RepositoryDescription", ""),
            properties.get("KmsKeyId", ""),
            tags,
        )
        if archive:
            repositories.seed(record, archive, properties["Code"].get("BranchName") or "main")
        return record.id, _attributes(record)

    def update(self, ref: str, old: dict[str, Any], new: dict[str, Any], context: Context) -> dict[str, Any]:
        """Description, key and tags."""
        record = repositories.find(new["RepositoryName"])
        record.description = new.get("RepositoryDescription", "")
        record.kms_key = new.get("KmsKeyId", "")
        record.tags = {str(tag["Key"]): str(tag["Value"]) for tag in new.get("Tags") or []}
        return _attributes(record)

    def delete(self, ref: str, properties: dict[str, Any], context: Context) -> None:
        """With its history."""
        repositories.delete(properties["RepositoryName"])


def _archive(code: dict[str, Any] | None, context: Context) -> bytes:
    if not code:
        return b""
    place = code["S3"]
    version = {"VersionId": place["ObjectVersion"]} if place.get("ObjectVersion") else {}
    found = context.client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"], **version)
    content: bytes = found["Body"].read()
    return content


def _attributes(record: repositories.Record) -> dict[str, Any]:
    metadata = record.metadata()
    ssh = f"ssh://git-codecommit.{record.arn.split(':')[3]}.amazonaws.com/v1/repos/{record.name}"
    return {"Arn": record.arn, "Name": record.name, "CloneUrlHttp": metadata["cloneUrlHttp"], "CloneUrlSsh": ssh}
