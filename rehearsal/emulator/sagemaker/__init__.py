"""SageMaker: projects, groups, domains, packages, pipelines' executions, endpoints; moto has the long tail.

The runtime, metrics and feature store APIs sign as `sagemaker` too and come in here as routes.
"""

from ..service import Service

sagemaker = Service("sagemaker", target="SageMaker", fallback="sagemaker", aliases=("sagemaker-runtime",))
