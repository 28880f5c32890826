"""What release would say of a project's stages before it asks AWS: each config/<stage>.json against every template."""

from pathlib import Path

from sagemaker_project_kit.deploy import settings
from sagemaker_project_kit.deploy.errors import DeployError
from sagemaker_project_kit.deploy.stage import plan


def names(root: Path) -> list[str]:
    """The stages that have a file in model_deploy/config/."""
    return sorted(path.stem for path in (root / "model_deploy" / "config").glob("*.json"))


def problem(root: Path, stage: str) -> str:
    """What `make release` would refuse of this stage, all of it; empty if it is in order."""
    here = settings.for_this_machine(root, {}, "")
    package = f"arn:{here.partition}:sagemaker:{here.region}:{settings.LOCAL_ACCOUNT}:model-package/{here.group}/1"
    try:
        plan(here, [stage], root / "model_deploy", package)
    except DeployError as error:
        return str(error)
    return ""
