"""The pipeline's definition is the one that was agreed to. After a wanted change: `make golden`, read, commit."""

from pathlib import Path

from sagemaker_project_kit.pipeline import golden


def test_the_definition_is_the_golden_one(root: Path) -> None:
    assert not (changed := golden.difference(root)), f"wanted? then `make golden` and commit. What changed:\n{changed}"
