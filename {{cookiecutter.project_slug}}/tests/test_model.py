"""The model answers: every row, in its order, the same alone as among others."""

from sagemaker_project_kit.testing.trial import Trial


def test_every_row_has_its_answer_in_any_company(trial: Trial) -> None:
    rows = trial.test_rows[:50]
    together = trial.answers(rows)
    assert len(together) == len(rows)
    assert trial.answers(rows[::-1]) == together[::-1]
    assert [answer for row in rows[:5] for answer in trial.answers([row])] == together[:5]


def test_it_does_not_answer_everybody_the_same(trial: Trial) -> None:
    assert len({str(answer) for answer in trial.answers(trial.test_rows)}) > 1
