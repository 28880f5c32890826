"""What every test of the project relies on."""

import functools
import os
import signal
import sys
from typing import Any

import pytest

from kit.tests.places import PROJECT

# Tables of some hundred rows: threads would wait for one another longer than they compute. Set while this file is read:
# the conftest.py below it load XGBoost, which looks once.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# What CodeBuild and the project's stack set: in a build the tests must find what they find on a laptop, and no test may
# get at the project itself.
_BUILD = ("AWS_", "CODEBUILD_", "PROD_", "PROJECT_", "SAGEMAKER_", "STAGING_")
_STACK = {
    *("ARTIFACT_BUCKET", "KMS_KEY_ARN", "MODEL_PACKAGE_ARN", "MODEL_PACKAGE_EVENT_TIME", "MODEL_PACKAGE_GROUP"),
    *("PIPELINE_ROLE_ARN", "SECURITY_GROUP_IDS", "STAGE", "SUBNET_IDS"),
}


sys.path.append(str(PROJECT))  # where the kit finds the team's modules, as it does in a project's folder


def pytest_configure() -> None:
    """Forget the build that runs us, and let Ctrl-C interrupt.

    A shell starts its background jobs with Ctrl-C ignored, and a process hands that on; the tests press it.
    """
    for name in [name for name in os.environ if name in _STACK or name.startswith(_BUILD)]:
        del os.environ[name]
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@functools.cache
def _loader(search_path: str | None = None) -> Any:
    from botocore import loaders

    return loaders.create_loader(search_path)


@pytest.fixture
def api_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's models of AWS's APIs are read once: each session's clients would read megabytes of JSON anew."""
    from botocore import session

    monkeypatch.setattr(session, "create_loader", _loader)
