"""No skew: a raw row sent to the endpoint becomes the features that training saw of it."""

import numpy as np
import pytest
from sagemaker_project_kit.testing.trial import CONTENT_TYPES, Trial


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_the_endpoint_sees_what_training_saw(trial: Trial, content_type: str) -> None:
    seen = {features.tobytes() for features in np.nan_to_num(trial.seen_features(), nan=-1)}
    for row in trial.seen_rows[::20]:
        features = trial.features(row, content_type)
        assert np.nan_to_num(features, nan=-1).tobytes() in seen, row
