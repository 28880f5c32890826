"""CodeCommit: repositories that ordinary git clones and pushes to over HTTP, their API and their events."""

from rehearsal.emulator.codecommit import http, operations, pull_requests

__all__ = ["http", "operations", "pull_requests"]
