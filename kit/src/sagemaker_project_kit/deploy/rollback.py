"""Goes back to a release that worked: the last good one, or one that is named. It writes what release writes.

It refuses what is no longer approved, and what never was: a rollback is no way around approval.
"""

from collections.abc import Sequence

from sagemaker_project_kit.deploy.choice import Choice
from sagemaker_project_kit.deploy.errors import RollbackError
from sagemaker_project_kit.deploy.registry import APPROVED
from sagemaker_project_kit.deploy.release import Releaser


def rollback(releaser: Releaser, stages: Sequence[str], named: str = "") -> Choice:
    """Write the artifacts of the package `named` (an ARN), or of the release before the present one.

    Raises:
        RollbackError: there is none, or the named one runs already.
        RegistryError: the named one does not exist, or may not be released.
    """
    chooser, last = releaser.chooser, releaser.settings.stages[-1].name
    present = chooser.present(last)
    if named and named == present:
        raise RollbackError(f"{named} is what {last} runs now: name another version, or none for the one before")
    package = chooser.named(named) if named else chooser.last_good(present)
    worked = any(release.package_arn == package.arn for release in chooser.history.releases(last))
    reason = f"rollback to {package}" + ("" if worked else f", which has never passed verify in {last}")
    return releaser.rollback(stages, package, reason)


def still_approved(releaser: Releaser, choice: Choice) -> str:
    """A warning if the version that was left is still approved, as a push would release it again; else empty."""
    present = releaser.chooser.present(releaser.settings.stages[-1].name)
    if not present or choice.package is None or present == choice.package.arn:
        return ""
    arns = [package.arn for package in releaser.chooser.registry.approved(releaser.settings.group)]
    return f"{present} is still {APPROVED}: reject it, or the next push may release it again" if present in arns else ""
