"""The model answers: every row, in its order, the same alone as among others."""

import numpy as np
from sagemaker_project_kit.testing.trial import Trial


def test_every_row_has_its_answer_in_any_company(trial: Trial) -> None:
    rows = trial.test_rows[:50]
    together = trial.scores(rows)
    assert len(trial.answers(rows)) == len(together) == len(rows)
    np.testing.assert_allclose(trial.scores(rows[::-1])[::-1], together, rtol=1e-5)
    np.testing.assert_allclose(np.concatenate([trial.scores([row]) for row in rows[:5]]), together[:5], rtol=1e-5)


def test_it_does_not_answer_everybody_the_same(trial: Trial) -> None:
    assert len(np.unique(trial.scores(trial.test_rows), axis=0)) > 1
