"""Lets AWS's images pip-install a code archive with its sub-packages (what it would generate skips them).

pip reads pyproject.toml beside this file, which names this module as the build backend: building a wheel then needs
neither setuptools nor the internet, as in a VPC without a way out. It refuses to know more than "every .py file here,
and job_wheels".
"""

import base64
import hashlib
import zipfile
from pathlib import Path

NAME, VERSION = "model_code", "1.0.0"
DIST_INFO = f"{NAME}-{VERSION}.dist-info"
TAG = "py3-none-any"
METADATA = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
WHEEL = f"Wheel-Version: 1.0\nGenerator: setup.py\nRoot-Is-Purelib: true\nTag: {TAG}\n"


def sources(root: Path) -> dict[str, bytes]:
    """Every module and wheel of the archive, but not this file nor what an earlier build left."""
    found = [*root.rglob("*.py"), *(root / "job_wheels").glob("*.whl")]
    files = (path.relative_to(root) for path in sorted(found))
    kept = (path for path in files if path.parts[0] not in ("build", "setup.py"))
    return {path.as_posix(): (root / path).read_bytes() for path in kept}


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: object = None) -> str:
    """PEP 517: write the wheel, return its name."""
    files = sources(Path.cwd())
    files |= {f"{DIST_INFO}/METADATA": METADATA.encode(), f"{DIST_INFO}/WHEEL": WHEEL.encode()}
    record = "".join(f"{name},sha256={_digest(content)},{len(content)}\n" for name, content in files.items())
    files[f"{DIST_INFO}/RECORD"] = f"{record}{DIST_INFO}/RECORD,,\n".encode()
    wheel = f"{NAME}-{VERSION}-{TAG}.whl"
    with zipfile.ZipFile(Path(wheel_directory) / wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return wheel


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


if __name__ == "__main__":  # an old pip, or an archive without pyproject.toml
    from setuptools import find_packages, setup  # type: ignore[import-untyped]

    modules = [path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "setup"]
    setup(name=NAME, version=VERSION, packages=find_packages(), py_modules=sorted(modules))
