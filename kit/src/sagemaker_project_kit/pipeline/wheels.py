"""The wheels of the dependency group job-wheels: what model.py imports and AWS's image does not carry.

Each is pinned by requirements.lock with its hashes and lies in vendor/, or is fetched once into build/wheels with pip,
for the Python and the processor of AWS's images. It refuses what is not pinned, and fetches nothing else.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

GROUP = "job-wheels"
PYTHON = "312"  # of AWS's images
IN_THE_IMAGE = {"python_version": "3.12", "python_full_version": "3.12.0", "sys_platform": "linux", "extra": ""}
IN_THE_IMAGE |= {"platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix"}
# Of their Linux (Amazon Linux 2023, glibc 2.34), newest first.
PLATFORMS = [*(f"manylinux_2_{minor}_x86_64" for minor in range(34, 4, -1)), "manylinux2014_x86_64", "linux_x86_64"]
# All that such an interpreter takes, as pip and uv see it.
TAGS = frozenset([*cpython_tags((3, 12), platforms=PLATFORMS), *compatible_tags((3, 12), "cp312", PLATFORMS)])
# What both of AWS's images carry (their lock files in aws/deep-learning-containers, docker/xgboost and
# docker/sklearn/1.9-0, of 2026-08-21), as far as models need it. XGBoost's own carries no narwhals, for one.
CARRIED = frozenset(
    {
        *("joblib", "numpy", "packaging", "pandas", "pillow", "psutil", "pyarrow", "python_dateutil", "pytz", "pyyaml"),
        *("requests", "scikit_learn", "scipy", "setuptools", "six", "threadpoolctl", "tzdata"),
    }
)
_PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+]+)")


class WheelsError(Exception):
    """A package of the group job-wheels cannot travel; the message says which and what to do."""


@dataclass(frozen=True)
class Pin:
    """One requirement and the hashes that requirements.lock allows."""

    name: str
    version: str
    hashes: frozenset[str]

    def matches(self, wheel: Path) -> bool:
        """Whether this is a wheel of it that runs in AWS's images, byte for byte as locked."""
        try:
            name, version, _, tags = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename:
            return False
        right = _normalized(name) == self.name and str(version) == self.version and not TAGS.isdisjoint(tags)
        return right and hashlib.sha256(wheel.read_bytes()).hexdigest() in self.hashes


def collect(root: Path) -> list[Path]:
    """The wheel of each package of the group, fetched where it is not there yet; none without such a group.

    Raises:
        WheelsError: a requirement is no pin, is not locked, cannot be fetched, or needs what does not travel.
    """
    pins = read_pins(root)
    fetched = root / "build" / "wheels"
    missing = [pin for pin in pins if _find(pin, root / "vendor", fetched) is None]
    if missing:
        _fetch(missing, fetched)
    if lost := [pin.name for pin in pins if _find(pin, root / "vendor", fetched) is None]:
        raise WheelsError(
            f"no wheel of {', '.join(lost)} for AWS's image (Python 3.12, Linux on x86_64) with a hash of "
            "requirements.lock lies in vendor/ or build/wheels: type make lock, or put it into vendor/"
        )
    found = [wheel for pin in pins if (wheel := _find(pin, root / "vendor", fetched))]
    for wheel in found:
        _require_company(wheel, CARRIED.union(pin.name for pin in pins))
    return sorted(found)


def read_pins(root: Path) -> list[Pin]:
    """The group of pyproject.toml with the hashes of requirements.lock."""
    try:
        document = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    requirements = document.get("dependency-groups", {}).get(GROUP, [])
    lock = (root / "requirements.lock").read_text(encoding="utf-8") if requirements else ""
    return [_pin(str(requirement), lock) for requirement in requirements]


def _pin(requirement: str, lock: str) -> Pin:
    exact = _PIN.fullmatch(requirement.partition(";")[0].strip())
    if exact is None:
        raise WheelsError(f"pyproject.toml, group {GROUP}: {requirement!r} must be a pin such as lightgbm==4.7.0")
    name, version = _normalized(exact[1]).replace("_", "-"), exact[2]
    block = re.search(rf"(?m)^{re.escape(name)}=={re.escape(version)}\b.*\n(?:    --hash=.*\n?)+", lock)
    if block is None:
        raise WheelsError(f"requirements.lock does not pin {name}=={version} of the group {GROUP}: type make lock")
    return Pin(_normalized(name), version, frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", block[0])))


def _require_company(wheel: Path, there: frozenset[str]) -> None:
    """Here, where more is installed, a package that was forgotten would not be missed."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        needs = message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    for need in map(Requirement, needs):
        if (need.marker is None or need.marker.evaluate(IN_THE_IMAGE)) and _normalized(need.name) not in there:
            raise WheelsError(
                f"{wheel.name} needs {need.name}, which not all of AWS's images carry: add it to the group {GROUP}, "
                "with the version that requirements.lock pins"
            )


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name).lower()


def _find(pin: Pin, *folders: Path) -> Path | None:
    wheels = (wheel for folder in folders for wheel in sorted(folder.glob("*.whl")))
    return next((wheel for wheel in wheels if pin.matches(wheel)), None)


def _fetch(pins: list[Pin], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ", ".join(f"{pin.name}=={pin.version}" for pin in pins)
    print(f"Fetching the wheels of {names} for AWS's image (once) …", flush=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary", ":all:", "--implementation", "cp", "--python-version", PYTHON]
    command += [word for platform in PLATFORMS for word in ("--platform", platform)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        for pin in pins:
            hashes = " ".join(f"--hash=sha256:{digest}" for digest in sorted(pin.hashes))
            requirements.write(f"{pin.name}=={pin.version} {hashes}\n")
        requirements.flush()
        command += ["--dest", str(folder), "-r", requirements.name]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["pip gave no reason"]
        raise WheelsError(
            f"the wheels of {names} for AWS's image (Python 3.12, Linux on x86_64) cannot be fetched: {reason[0]} "
            "Put them into vendor/ where this machine reaches no index."
        )
