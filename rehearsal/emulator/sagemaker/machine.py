"""The one place that says what jobs and endpoints run with: which Python, what pace.

The kit's local part stands for SageMaker's containers: it knows the /opt/ml contract and how to serve a model.tar.gz.
The code that it runs comes out of S3, as the build uploaded it. Container images stand for REHEARSAL_PROJECT_PYTHON,
whatever their name; instance types, counts and volumes stand for nothing.

REHEARSAL_PROJECT_PYTHON  a Python with a project's groups `local` and `steps` (default: that of this repository)
REHEARSAL_PACE            by how much waits and metric periods are shorter than on AWS (default: 1)
"""

import os
from pathlib import Path

from rehearsal.emulator.clients import assume
from rehearsal.emulator.clock import pace as pace
from rehearsal.emulator.service import address, region, state_folder

ROOT = Path(__file__).parents[3]
PRINCIPAL = "sagemaker.amazonaws.com"
LOCAL = ("-m", "sagemaker_project_kit.local")
_KEPT = ("LANG", "LC_ALL", "PYTHONPYCACHEPREFIX", "TZ", "OMP_NUM_THREADS")


def python() -> str:
    """The Python of jobs and endpoints."""
    return os.environ.get("REHEARSAL_PROJECT_PYTHON") or str(ROOT / ".venv" / "bin" / "python")


def environment(role: str | None) -> dict[str, str]:
    """What a container finds: nothing of this machine's but paths, and the credentials of its role (None: isolated)."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    base = kept | {
        "PATH": f"{Path(python()).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "HOME": str(state_folder("home")),
        "TMPDIR": str(state_folder("tmp")),
        "AWS_REGION": region(),
        "AWS_DEFAULT_REGION": region(),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return base if role is None else base | _credentials(role)


def _credentials(role: str) -> dict[str, str]:
    key, secret, token = assume(role, PRINCIPAL)
    names = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}
    return names | {"AWS_ENDPOINT_URL": address()}
