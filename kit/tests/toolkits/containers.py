"""Jobs and endpoints on the public toolkits of AWS's two images, each in name spaces of its own.

Replicated: the toolkits and libraries at the versions of the images' own locks, on the images' Python or a newer one;
their programs `train` and `serve`; gunicorn with gevent and two workers; no network but loopback; /opt/ml/model
read-only for endpoints. Not replicated, since only the images have it: the container's own package (`container/
stand_in.py` has its lines for script mode), nginx in front of gunicorn, Amazon Linux, the GPU part of XGBoost. /opt/ml
is a folder that the toolkits are told of (SAGEMAKER_BASE_DIR); the code archive is a file here, no object of S3.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit.tests.places import KIT
from kit.tests.waiting import PATIENCE
from sagemaker_project_kit.local.jobs.sandbox import Sandbox

HERE = Path(__file__).parent
_HANDED_ON = ("LANG", "TMPDIR", "HOME")
Answer = tuple[int, str, str]  # status, content type, body


@dataclass(frozen=True)
class Request:
    """One request as it goes over the wire; `body` is Latin-1 text, a character a byte."""

    body: str = ""
    headers: Mapping[str, str] | None = None
    method: str = "POST"
    path: str = "/invocations"


@dataclass(frozen=True)
class Ended:
    """A container that has ended."""

    code: int
    log: str
    ml: Path


@dataclass(frozen=True)
class Image:
    """The environment that stands for an image."""

    name: str
    repository: str

    @property
    def bin(self) -> Path:
        return KIT.parent / ".venv" / f"toolkits-{self.name}" / "bin"

    @property
    def pins(self) -> dict[str, str]:
        """The versions that the image's own lock names."""
        lines = (HERE / "images" / f"{self.name}.pins").read_text(encoding="utf-8").splitlines()
        return dict(line.split("==") for line in lines if "==" in line)

    def installed(self) -> dict[str, str]:
        """What the environment has."""
        code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
        done = subprocess.run([self.bin / "python", "-I", "-c", code], capture_output=True, text=True, check=True)
        found: dict[str, str] = json.loads(done.stdout)
        return {name.lower().replace("_", "-").replace(".", "-"): version for name, version in found.items()}

    def run(
        self,
        box: Sandbox,
        argv: Sequence[str],
        variables: Mapping[str, Any],
        requests: Sequence[Request] = (),
        read_only: Sequence[Path] = (),
    ) -> Ended:
        """A container over the /opt/ml of `box`. Where there are requests, `answers` reads what came back."""
        site, hosts, plan = box.root / "site", box.root / "hosts", box.root / "plan.json"
        site.mkdir()
        hosts.write_text("127.0.0.1 localhost algo-1\n", encoding="utf-8")
        program, *words = [box.rewrite(word) for word in argv]
        document = {
            "hosts": str(hosts),
            "read_only": [str(folder) for folder in read_only],
            "argv": [str(self.bin / program), *words],
            "cwd": str(box.root),
            "requests": [(each.method, each.path, dict(each.headers or {}), each.body) for each in requests],
            "answers": str(box.root / "answers.json"),
            "patience": PATIENCE,
        }
        plan.write_text(json.dumps(document), encoding="utf-8")
        spaces = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
        command = [*spaces, str(self.bin / "python"), str(HERE / "container" / "inside.py"), str(plan)]
        environment = self._environment(box, site, variables)
        pipe, both = subprocess.PIPE, subprocess.STDOUT
        done = subprocess.run(
            command, env=environment, stdout=pipe, stderr=both, text=True, errors="replace", check=False
        )
        return Ended(done.returncode, done.stdout, box.ml)

    def _environment(self, box: Sandbox, site: Path, variables: Mapping[str, Any]) -> dict[str, str]:
        """A container's variables. What it installs goes to a folder of its own, as into a container that is new."""
        given = {key: box.rewrite(value) for key, value in variables.items()}
        paths = [given.pop("PYTHONPATH", ""), str(site), str(HERE / "container")]
        train = f"stand_in:train_{self.name.replace('-', '_')}"
        return {
            **{key: os.environ[key] for key in _HANDED_ON if key in os.environ},
            "PATH": f"{self.bin}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "PYTHONPATH": ":".join(filter(None, paths)),
            "LC_ALL": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            "PIP_TARGET": str(site),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "SAGEMAKER_BASE_DIR": str(box.ml),
            "SAGEMAKER_TRAINING_MODULE": train,
            "SAGEMAKER_SERVING_MODULE": "stand_in:serve",
            "SM_MODEL_DIR": str(box.ml / "model"),
            "SAGEMAKER_USE_NGINX": "false",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "2",
            **given,
        }


XGBOOST = Image("xgboost", "sagemaker-xgboost:3.2-0")
SCIKIT_LEARN = Image("scikit-learn", "sagemaker-scikit-learn:1.9-0-cpu-py3")


def image(uri: str) -> Image:
    """The one that stands for the image of a job. A name that is not among them is an error of the test."""
    return next(each for each in (XGBOOST, SCIKIT_LEARN) if uri.endswith(f"/{each.repository}"))


def answers(box: Sandbox) -> list[Answer]:
    """What came back for each request."""
    return [tuple(each) for each in json.loads((box.root / "answers.json").read_text(encoding="utf-8"))]


if sys.platform != "linux":
    raise RuntimeError("The tests on AWS's toolkits need Linux: its user, network and mount name spaces (unshare).")
