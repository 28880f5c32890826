"""The golden definition of a project: the pipeline's shape, kept in tests/ so that a change is seen and agreed to.

It is written for a project of neutral names in one region, and with `@code@`, `@config@` and `@data@` in place of the
content hashes: it depends on pipeline.py, project.toml and the kit, not on the machine, on who owns the project, on
where it runs or on what is in the code and the data. Nor on what is tried every day and is no shape: hyperparameters,
thresholds and instance types of project.toml, which are read where they stand. Everything else is in it.
"""

import contextlib
import difflib
from pathlib import Path

from sagemaker_project_kit.pipeline import definition
from sagemaker_project_kit.pipeline.settings import load
from sagemaker_project_kit.pipeline.staging import Locations
from sagemaker_project_kit.pipeline.tables import Environment, Project, Settings

FILE = Path("tests") / "golden" / "definition.json"
MACHINE = "ml.m5.large"
PROJECT = Project(name="project", owner="owner", cost_center="cost-center", region="us-east-1")


def neutral(settings: Settings) -> Settings:
    """The same pipeline, built by nobody in particular on a laptop, with no hyperparameter set."""
    machines = {"instance_type": MACHINE, "processing_instance_type": MACHINE}
    changes = {
        "project": PROJECT,
        "environment": Environment(region=PROJECT.region),
        "train": settings.train.model_copy(update={"hyperparameters": {}, **machines}),
        "evaluate": settings.evaluate.model_copy(update={"threshold": 0.0, "champion_tolerance": 0.0}),
    }
    return settings.model_copy(update=changes)


def current(root: Path) -> str:
    """What the golden definition of the project in `root` must be now; the SDK writes it if its shape is new.

    Raises:
        SettingsError: project.toml is not in order.
    """
    settings = neutral(load(root, {}))
    template, _ = definition.shape(settings, root / "build")
    return definition.fill(template, settings, Locations.placeholders(settings), commit="unknown")


def difference(root: Path) -> str:
    """What has changed since the golden definition was agreed to, as a unified diff; empty if nothing has."""
    agreed = ""
    with contextlib.suppress(FileNotFoundError):
        agreed = (root / FILE).read_text(encoding="utf-8")
    old, new = (text.splitlines(keepends=True) for text in (agreed, current(root)))
    return "".join(difflib.unified_diff(old, new, FILE.as_posix(), "what pipeline.py and project.toml make now"))


def renew(root: Path) -> str:
    """Agree to the definition as it is now; returns what that changed."""
    changed = difference(root)
    (root / FILE).parent.mkdir(parents=True, exist_ok=True)
    (root / FILE).write_text(current(root), encoding="utf-8")
    return changed
