"""What a step is on this machine: processes under the /opt/ml contract of SageMaker's containers."""
