"""The same endpoint as an ASGI application, for own containers (`uvicorn app:app`)."""

from model_build.serving.app import app

__all__ = ["app"]
