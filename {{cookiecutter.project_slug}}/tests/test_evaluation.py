"""The metric that decides: good enough on rows the model never saw, and better than a guess."""

from sagemaker_project_kit.testing.trial import Trial


def test_the_model_reaches_the_threshold(trial: Trial) -> None:
    assert trial.gate["metric"] == trial.settings.evaluate.metric
    assert trial.gate["threshold_shortfall"] == 0, trial.gate["threshold_message"]


def test_it_beats_the_best_constant_answer(trial: Trial) -> None:
    guess, value = trial.gate["constant_guess"], trial.gate["value"]
    assert guess is not None
    assert value < guess if trial.settings.evaluate.lower_is_better else value > guess
