"""The arithmetic of the gates and the sentences people read."""

import pytest

from sagemaker_project_runtime.steps.gate import Bar, Champion, decide


@pytest.mark.parametrize(
    ("metric", "value", "threshold", "shortfall", "message"),
    [
        ("auc", 0.79, 0.8, 0.01, "auc 0.790 is below the threshold 0.800 by 0.010"),
        ("auc", 0.85, 0.8, 0.0, "auc 0.850 meets the threshold 0.800"),
        ("auc", 0.8, 0.8, 0.0, "auc 0.800 meets the threshold 0.800"),
        ("rmse", 61.5, 60, 1.5, "rmse 61.500 is above the threshold 60.000 by 1.500"),
        ("rmse", 59.0, 60, 0.0, "rmse 59.000 meets the threshold 60.000"),
        ("mse", 0.00035, 0.0002, 0.00015, "mse 0.0003 is above the threshold 0.0002 by 0.0001"),
    ],
)
def test_threshold(metric: str, value: float, threshold: float, shortfall: float, message: str) -> None:
    gate = decide("binary", Bar(metric, threshold, 0.01), value, 0.5, Champion(present=False))
    assert gate["threshold_shortfall"] == pytest.approx(shortfall)
    assert gate["threshold_message"] == message


@pytest.mark.parametrize(
    ("champion", "shortfall", "message"),
    [
        (Champion(False), 0.0, "there is no champion to compare with"),
        (
            Champion(True, 0.83),
            0.04,
            "auc 0.790 is worse than the champion's 0.830 by 0.040, more than the tolerance 0.010",
        ),
        (
            Champion(True, 0.795),
            0.005,
            "auc 0.790 is worse than the champion's 0.795 by 0.005, within the tolerance 0.010",
        ),
        (Champion(True, 0.7), 0.0, "auc 0.790 is not worse than the champion's 0.700"),
        (Champion(True, None, "its columns differ"), 0.0, "the champion cannot be compared: its columns differ"),
    ],
)
def test_champion(champion: Champion, shortfall: float, message: str) -> None:
    gate = decide("binary", Bar("auc", 0.5, 0.01), 0.79, 0.5, champion)
    assert gate["champion_shortfall"] == pytest.approx(shortfall)
    assert gate["champion_message"] == message
    assert gate["champion"] == {"present": champion.present, "value": champion.value, "reason": champion.reason}


def test_worse_means_more_where_less_is_better() -> None:
    gate = decide("regression", Bar("rmse", 60, 0), 55, 70, Champion(True, 50))
    assert (gate["direction"], gate["champion_shortfall"]) == ("minimize", 5)
