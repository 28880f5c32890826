"""The entry point of endpoints on AWS's XGBoost image (SAGEMAKER_PROGRAM). The work is in model_build.serving."""

from model_build.serving.inference import input_fn, model_fn, output_fn, predict_fn

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]
