"""What a transform job needs before it can run: the model's archive and description, and the files that it is to read.

A manifest becomes a prefix of its own, with every file that it names below it.
"""

import json
from pathlib import Path
from typing import Any

from rehearsal.emulator.sagemaker import models, objects
from rehearsal.emulator.sagemaker.objects import ObjectError
from rehearsal.emulator.sagemaker.resources import Document

_MANIFEST = "s3://from-the-manifest/files"


def role_of(job: Document) -> str:
    """A transform job has the role of its model."""
    return str(models.find(job["ModelName"])["ExecutionRoleArn"])


def prepare(job: Document, state: Path, s3: Any) -> Document:
    """Put everything where `local` looks for it and return the job as `local` shall see it. Raises ObjectError."""
    container = models.container(models.find(job["ModelName"]))
    objects.fetch(s3, container["ModelDataUrl"], state / "s3")
    description = {"ModelName": job["ModelName"], "PrimaryContainer": container}
    (state / "models").mkdir(parents=True, exist_ok=True)
    (state / "models" / f"{job['ModelName']}.json").write_text(json.dumps(description), encoding="utf-8")
    source = job["TransformInput"]["DataSource"]["S3DataSource"]
    if source["S3DataType"] != "ManifestFile":
        if not objects.download(s3, source["S3Uri"], state / "s3"):
            raise ObjectError(f"no S3 objects found under {source['S3Uri']}")
        return job
    _fetch_listed(source["S3Uri"], state / "s3", s3)
    changed = {**job["TransformInput"], "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": _MANIFEST}}}
    return {**job, "TransformInput": changed}


def _fetch_listed(uri: str, root: Path, s3: Any) -> None:
    """A manifest is a list: {"prefix": …} and the names after it (API reference, S3DataSource)."""
    content = json.loads(objects.fetch(s3, uri, root).read_text(encoding="utf-8"))
    prefix = str(content[0]["prefix"])
    bucket, key = objects.split(_MANIFEST)
    for name in content[1:]:
        target = root / bucket / key / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(objects.fetch(s3, f"{prefix}{name}", root).read_bytes())
