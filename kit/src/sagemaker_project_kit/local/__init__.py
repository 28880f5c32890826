"""SageMaker on this machine: runs a pipeline definition as processes, keeps a model registry, serves a model.

It reads the definition JSON that SageMaker Pipelines takes and refuses to know anything else about the project: it
imports no other part of the kit and not the runtime, no SageMaker SDK and no boto3, and it starts no container.
"""
