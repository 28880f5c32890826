"""The same endpoint as an ASGI application, for own containers (`uvicorn app:app`)."""

from sagemaker_project_runtime.serving.app import app

__all__ = ["app"]
