"""The machinery of a SageMaker project, in parts that do not know each other: pipeline, deploy and local.

What travels into jobs and endpoints is a package of its own, sagemaker_project_runtime.
"""

__version__ = "0.2.0"
