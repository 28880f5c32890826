"""The entry point of endpoints on AWS's images (SAGEMAKER_PROGRAM). The work is in serving/."""

from sagemaker_project_runtime.serving.inference import input_fn, model_fn, output_fn, predict_fn

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]
