"""make kit-source: somebody looks into the kit, patches it, every verb uses the patch; the way back is as it says."""

import subprocess
from pathlib import Path

import pytest

from scripts.bake import bake
from scripts.project import Project

pytestmark = pytest.mark.bake

WHERE = "import sagemaker_project_kit as k, sagemaker_project_runtime as r; print(k.__path__[0], r.__path__[0])"
ASKS = "from importlib import metadata; print(sorted(metadata.requires('sagemaker-project-kit')))"


def python(project: Project, code: str) -> str:
    """What the project's Python says."""
    command = [str(project.path / ".venv" / "bin" / "python"), "-c", code]
    return subprocess.run(command, cwd=project.path, check=True, capture_output=True, text=True).stdout.strip()


def normal(requirements: str) -> str:
    """Two ways of writing the same marker."""
    return requirements.replace(" ", "").replace('"', "'")


def make(project: Project, *words: str) -> str:
    code, text = project.output(*words)
    assert code == 0, text
    return text


def test_there_and_back(tmp_path: Path) -> None:
    project = Project(bake(tmp_path / "a folder", project_slug="Churn-9"))
    make(project, "install")
    installed, asked = python(project, WHERE), python(project, ASKS)
    assert "site-packages" in installed

    said = make(project, "kit-source")
    source = project.path.parent / "Churn-9-kit"
    assert str(source) in said
    assert "Back to the wheel: make clean install" in said
    packages = [source / "src" / name for name in ("sagemaker_project_kit", "sagemaker_project_runtime")]
    assert python(project, WHERE) == " ".join(map(str, packages))
    assert normal(python(project, ASKS)) == normal(asked)

    verb = packages[0] / "pipeline" / "__main__.py"
    verb.write_text(verb.read_text(encoding="utf-8").replace("Pipeline definition", "Patched definition"), "utf-8")
    assert "Patched definition written" in make(project, "definition")
    make(project, ".venv/dev.installed")  # whatever is installed later leaves the source where it is
    assert python(project, WHERE) == " ".join(map(str, packages))
    assert "is left as it is" in make(project, "kit-source")
    assert "Patched definition" in verb.read_text(encoding="utf-8")

    make(project, "clean", "install")
    assert python(project, WHERE) == installed
    assert "Pipeline definition written" in make(project, "definition")
