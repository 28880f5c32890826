"""Whose code is where: the installed runtime and the team's package. Imports neither the SDK nor the team's modules."""

from pathlib import Path

import sagemaker_project_runtime

RUNTIME = Path(sagemaker_project_runtime.__path__[0])
TEAM = "model_build"
# Of the team's modules, this one needs the SDK and stays on the machine that writes the definition.
PIPELINE = "pipeline.py"
WHEELS = "job_wheels"  # beside both, where the runtime looks for them
_SUFFIXES = (".py", ".toml")


def source_files(folder: Path) -> list[Path]:
    """The code in a folder, in a fixed order."""
    return sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)


def shipped_files(root: Path) -> dict[str, Path]:
    """What travels to SageMaker, by its place there: the installed runtime and the team's own modules."""
    return {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": path
        for folder in (RUNTIME, root / TEAM)
        for path in source_files(folder)
        if path != root / TEAM / PIPELINE
    }
