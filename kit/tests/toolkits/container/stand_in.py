"""What a container's own package adds to the toolkits in script mode: the two functions that they are told to call.

That package is in AWS's images only. These are its lines for script mode, as its public sources have them: `training`
and `serving` of the repositories aws/sagemaker-xgboost-container and aws/sagemaker-scikit-learn-container on GitHub.
It refuses built-in algorithms and several models in one container.
"""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

_application: Callable[..., Iterable[bytes]] | None = None


def train_xgboost() -> None:
    """SAGEMAKER_TRAINING_MODULE of sagemaker-xgboost."""
    framework = import_module("sagemaker_containers.beta.framework")
    job = framework.training_env()
    arguments, variables = job.to_cmd_args(), job.to_env_vars()
    framework.modules.run_module(job.module_dir, arguments, variables, job.module_name, capture_error=False)


def train_scikit_learn() -> None:
    """SAGEMAKER_TRAINING_MODULE of sagemaker-scikit-learn."""
    entry_point, environment, runner = [
        import_module(f"sagemaker_training.{name}") for name in ("entry_point", "environment", "runner")
    ]
    job = environment.Environment()
    entry_point.run(
        uri=job.module_dir,
        user_entry_point=job.user_entry_point,
        args=job.to_cmd_args(),
        env_vars=job.to_env_vars(),
        runner_type=runner.ProcessRunnerType,
    )


def serve(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """SAGEMAKER_SERVING_MODULE of both: the WSGI application; each worker loads the model at its first request."""
    global _application
    if _application is None:
        framework = import_module("sagemaker_containers.beta.framework")
        name = framework.env.ServingEnv().module_name
        handler = import_module(name)
        functions = {key: getattr(handler, key) for key in ("model_fn", "input_fn", "predict_fn", "output_fn")}
        model = framework.transformer.Transformer(**functions)
        model.initialize()
        _application = framework.worker.Worker(transform_fn=model.transform, module_name=name)
    return _application(environ, start_response)
