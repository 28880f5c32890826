"""Metrics of this project's own. A new one is a function and its place in METRICS: README, "Another metric".

The kit computes the usual ones: auc f1 accuracy precision recall, weighted_f1 …, rmse mae mse r2. Each metric here
stands beside them in every report, and project.toml may name it in [evaluate] metric, with a threshold.
"""

from sagemaker_project_runtime.steps.metrics import Metric

METRICS: list[Metric] = []
