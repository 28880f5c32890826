"""Offers the project of this repository inside SageMaker Studio: `python -m service_catalog --help`."""
