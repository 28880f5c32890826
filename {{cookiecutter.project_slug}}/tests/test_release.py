"""Each stage's config/<stage>.json is one that `make release` accepts."""

from pathlib import Path

from sagemaker_project_kit.testing import stages


def test_every_stage_can_be_released(root: Path) -> None:
    problems = {stage: stages.problem(root, stage) for stage in stages.names(root)}
    assert problems
    assert not any(problems.values()), "\n".join(problems.values())
