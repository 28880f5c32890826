"""Other frameworks on other data, from the first run to a server: a regression, and several classes."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from kit.tests.frameworks.projects import LIGHTGBM, Team, ask
from kit.tests.runtime.steps.flow import bundled

pytestmark = pytest.mark.bake

# Real data that scikit-learn ships.
TEAMS = {
    "scikit-learn": Team(bundled("diabetes"), "target", "regression", "rmse", 65.0, "scikit_learn", {"strength": 0.5}),
    "lightgbm": Team(
        bundled("wine_data"),
        "target",
        "multiclass",
        "weighted_f1",
        0.8,
        "lightgbm",
        {"num_leaves": 7, "min_data_in_leaf": 5},
        LIGHTGBM,
    ),
}


@pytest.mark.parametrize("name", TEAMS)
def test_run_approve_deploy_serve(name: str, tmp_path: Path) -> None:
    assert find_spec("lightgbm") is None, "its wheel must be what is used"
    project = TEAMS[name].start(tmp_path / "project")
    done = project.run()
    assert done.code == 0, done.out + done.err
    assert "Registered" in done.out
    facts = project.package["CustomerMetadataProperties"]
    trained = json.loads((project.output("Evaluate", "evaluation") / "model.json").read_text(encoding="utf-8"))
    assert (facts["framework"], facts["framework_version"]) == (trained["name"], trained["version"])
    assert facts["framework"] in done.out and facts["framework_version"] in done.out
    card = project.package["ModelCard"]["ModelCardContent"]
    assert facts["framework"] in card
    if TEAMS[name].wheels:
        assert f"lightgbm {facts['framework_version']} in AWS's image sklearn 1.9-0" in card
    assert project.project.part("local", "registry", "approve").code == 0
    sample, expected = project.contract("sample.jsonl"), project.contract("expected.jsonl")
    with project.served() as url:
        assert ask(url, sample) == expected
        alone, among = json.loads(ask(url, sample.splitlines()[0])), json.loads(expected.splitlines()[0])
        number = "probability" if "probability" in among else "prediction"
        assert alone[number] == pytest.approx(among[number], rel=1e-5)
    with project.deployed() as stages:
        answers = {stage: ask(address, sample) for stage, address in stages.items()}
    assert answers == {"staging": expected, "prod": expected}
