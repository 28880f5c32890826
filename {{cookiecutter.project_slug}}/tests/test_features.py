"""What becomes of each column: nothing is left out silently, and what training never saw is answered all the same."""

import pytest
from sagemaker_project_kit.testing.trial import Trial


def test_only_what_project_toml_drops_is_left_out(trial: Trial) -> None:
    """A column that says nothing (one value, an id in each row) is dropped by itself: name it in [data] drop."""
    dropped = {column["name"] for column in trial.summary["columns"] if column["role"] == "dropped"}
    assert dropped == set(trial.settings.data.drop)


@pytest.mark.parametrize("cell", ["", "never seen before"])
def test_a_cell_that_is_missing_or_new_is_answered(trial: Trial, cell: str) -> None:
    categorical = [column["name"] for column in trial.summary["columns"] if column.get("kind") == "categorical"]
    row = trial.test_rows[0] | {name: cell for name in categorical if name != trial.target}
    assert len(trial.answers([row])) == 1
