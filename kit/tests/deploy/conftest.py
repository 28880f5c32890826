"""A project of the tests' own: two stages in two accounts, model packages, a contract, clients without surprises."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from kit.tests.places import PROJECT
from sagemaker_project_kit.deploy import settings as settings_module
from sagemaker_project_kit.deploy.choice import Chooser
from sagemaker_project_kit.deploy.history import History
from sagemaker_project_kit.deploy.registry import FolderRegistry, Package
from sagemaker_project_kit.deploy.release import Releaser, Workplace, look_nowhere
from sagemaker_project_kit.deploy.settings import Settings
from sagemaker_project_kit.deploy.store import FolderStore

REGION, GROUP = "eu-west-1", "churn-p-1"
TOOLING, STAGING, PROD = "111111111111", "222222222222", "333333333333"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENVIRONMENT = {
    "SAGEMAKER_PROJECT_NAME": "churn",
    "SAGEMAKER_PROJECT_ID": "p-1",
    "SAGEMAKER_PROJECT_ARN": f"arn:aws:sagemaker:{REGION}:{TOOLING}:project/churn",
    "MODEL_PACKAGE_GROUP": GROUP,
    "ARTIFACT_BUCKET": "artifacts",
    "KMS_KEY_ARN": f"arn:aws:kms:{REGION}:{TOOLING}:key/1a2b",
    "AWS_REGION": REGION,
    "STAGING_ACCOUNT_ID": STAGING,
    "PROD_ACCOUNT_ID": PROD,
    "STAGING_ENDPOINT_ROLE_ARN": f"arn:aws:iam::{STAGING}:role/endpoint",
    "PROD_ENDPOINT_ROLE_ARN": f"arn:aws:iam::{PROD}:role/endpoint",
    "STAGING_VERIFY_ROLE_ARN": f"arn:aws:iam::{STAGING}:role/verify",
    "PROD_VERIFY_ROLE_ARN": f"arn:aws:iam::{PROD}:role/verify",
}
SCHEMA = {
    "version": 1,
    "content_types": ["text/csv", "application/json", "application/jsonlines"],
    "default_accept": "*/*",
    "problem_type": "binary",
    "input": [
        {"name": "tenure", "kind": "numeric", "required": True, "nullable": True},
        {"name": "plan", "kind": "categorical", "required": True, "nullable": True},
    ],
    "ignored": ["churn"],
    "output": [
        {"name": "prediction", "type": "string", "classes": ["No", "Yes"]},
        {"name": "probability", "type": "number", "min": 0, "max": 1, "of": "Yes"},
    ],
}
SAMPLE: list[dict[str, Any]] = [
    {"tenure": 1, "plan": "basic"},
    {"tenure": None, "plan": 'plus, "gold"'},
    {"tenure": 44.5, "plan": None},
]
EXPECTED: list[dict[str, Any]] = [
    {"prediction": "Yes", "probability": 0.9},
    {"prediction": "No", "probability": 0.25},
    {"prediction": "No", "probability": 0.1},
]


def arn(version: int, group: str = GROUP) -> str:
    return f"arn:aws:sagemaker:{REGION}:{TOOLING}:model-package/{group}/{version}"


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def content(version: int, status: str = "Approved", minutes: int = 0, **changes: Any) -> dict[str, Any]:
    """What DescribeModelPackage answers; `minutes` after noon it was last modified."""
    return {
        "ModelPackageName": GROUP,
        "ModelPackageGroupName": GROUP,
        "ModelPackageVersion": version,
        "ModelPackageArn": arn(version),
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": status,
        "CreationTime": NOON - timedelta(days=1),
        "LastModifiedTime": NOON + timedelta(minutes=minutes),
        "InferenceSpecification": {
            "Containers": [{"Image": "image", "ModelDataUrl": f"s3://artifacts/{version}.tar.gz"}]
        },
        "CustomerMetadataProperties": {"contract_uri": f"s3://artifacts/churn/contract/{version}", "git_commit": "abc"},
    } | changes


@pytest.fixture(autouse=True)
def _api_models(api_models: None) -> None:
    """For all the clients here."""


@pytest.fixture
def settings() -> Settings:
    return settings_module.load(PROJECT, ENVIRONMENT)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "s3")


Register = Callable[..., Package]


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return FolderRegistry(tmp_path / "registry", REGION)


@pytest.fixture
def register(tmp_path: Path, store: FolderStore) -> Register:
    """Put a version into the registry, or change it: register(3, "Rejected", minutes=5)."""

    def put(version: int, status: str = "Approved", minutes: int = 0, **changes: Any) -> Package:
        for name, text in (
            ("schema.json", json.dumps(SCHEMA)),
            ("sample.jsonl", lines(SAMPLE)),
            ("expected.jsonl", lines(EXPECTED)),
        ):
            store.write(f"s3://artifacts/churn/contract/{version}/{name}", text)
        package = content(version, status, minutes, **changes)
        path = tmp_path / "registry" / package["ModelPackageGroupName"] / f"{version}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(package, default=datetime.isoformat), encoding="utf-8")
        return Package(package)

    return put


@pytest.fixture
def history(settings: Settings, store: FolderStore) -> History:
    return History(settings, store)


@pytest.fixture
def chooser(settings: Settings, registry: FolderRegistry, history: History, store: FolderStore) -> Chooser:
    return Chooser(settings, registry, history, store)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the real templates and configuration, for tests to break."""
    folder = tmp_path / "model_deploy"
    shutil.copytree(PROJECT / "model_deploy", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return folder


Edit = Callable[..., None]


@pytest.fixture
def edit(source: Path) -> Edit:
    """Change config/<stage>.json: edit("prod", CapturePercent="150"); None takes a key out."""

    def change(stage: str, section: str = "Parameters", **values: Any) -> None:
        path = source / "config" / f"{stage}.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        merged = document.get(section, {}) | values
        document[section] = {key: value for key, value in merged.items() if value is not None}
        path.write_text(json.dumps(document), encoding="utf-8")

    return change


@pytest.fixture
def releaser(settings: Settings, chooser: Chooser, source: Path, tmp_path: Path) -> Releaser:
    return Releaser(settings, chooser, look_nowhere, Workplace(source, tmp_path / "build" / "release", "1.2.3"))


@contextmanager
def stubbed(service: str, *calls: tuple[str, dict[str, Any] | None, Any]) -> Iterator[Any]:
    """A client that takes exactly these calls in this order: (operation, parameters or None for any, answer).

    An answer of three values is an error: code, message, HTTP status.

    botocore checks each parameter and each field of an answer against the service's model; any other call fails.
    """
    client = boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        for operation, parameters, answer in calls:
            if isinstance(answer, tuple):
                code, message, status = answer
                stub.add_client_error(operation, code, message, status, expected_params=parameters)
            else:
                stub.add_response(operation, answer, parameters)
        yield client
        stub.assert_no_pending_responses()
