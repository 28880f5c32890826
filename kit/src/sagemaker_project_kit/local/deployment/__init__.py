"""Endpoints on this machine: a proxy with weights before fleets of `serve`, updated blue/green as SageMaker does."""
