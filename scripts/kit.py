"""python -m scripts.kit [--check]: the kit as the one wheel that a project carries in vendor/.

uv builds it; here its members are stored instead of compressed, so that it is the same byte for byte on every machine
and git keeps only what changed between two versions. The lock files name its hash: an edited wheel is not installed.
"""

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
VENDOR = ROOT / "{{cookiecutter.project_slug}}" / "vendor"
LOCKS = (VENDOR.parent / "requirements.lock", ROOT / "requirements.lock")
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_PINNED = re.compile(r"(?m)^sagemaker-project-kit==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}$")


class KitError(Exception):
    """The kit cannot be built, or a lock does not name it; the message says what to do."""


def build(folder: Path, source: Path = ROOT / "kit") -> Path:
    """The wheel of kit/ (or of a copy of it), written into `folder`. Raises KitError."""
    with tempfile.TemporaryDirectory() as temporary:
        command = [str(Path(sys.executable).with_name("uv")), "build", "--offline", "--quiet", "--wheel"]
        done = subprocess.run([*command, "--out-dir", temporary, str(source)], capture_output=True, text=True)
        if done.returncode:
            raise KitError(f"{source} cannot be built:\n{done.stderr}")
        (compressed,) = Path(temporary).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return _store(compressed, folder / compressed.name)


def _store(compressed: Path, wheel: Path) -> Path:
    """The same members in the same order, not compressed. RECORD holds their hashes, which stay true."""
    with zipfile.ZipFile(compressed) as built, zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as target:
        for name in [name for name in built.namelist() if not name.endswith("/")]:
            member = zipfile.ZipInfo(name, _EARLIEST)
            member.external_attr, member.create_system = 0o100644 << 16, 3
            target.writestr(member, built.read(name))
    return wheel


def pin(lock: Path, wheel: Path) -> str:
    """The text of `lock` with this wheel's hash. Raises KitError if the lock names another version."""
    text, digest = lock.read_text(encoding="utf-8"), hashlib.sha256(wheel.read_bytes()).hexdigest()
    version = wheel.name.split("-")[1]
    pinned = _PINNED.search(text)
    if pinned is None or pinned[1] != version:
        raise KitError(f"{lock.relative_to(ROOT)} does not pin version {version} of the kit: type make lock")
    return _PINNED.sub(f"sagemaker-project-kit=={version} \\\n    --hash=sha256:{digest}", text)


def renew() -> Path:
    """Put the wheel into vendor/, alone, and its hash into the locks. Raises KitError."""
    with tempfile.TemporaryDirectory() as temporary:
        wheel = build(Path(temporary))
        VENDOR.mkdir(exist_ok=True)
        for old in VENDOR.glob("*.whl"):
            old.unlink()
        target = VENDOR / wheel.name
        target.write_bytes(wheel.read_bytes())
    for lock in LOCKS:
        lock.write_text(pin(lock, target), encoding="utf-8")
    return target


def is_current() -> bool:
    """Whether vendor/ holds what kit/ builds, and the locks name it."""
    with tempfile.TemporaryDirectory() as temporary:
        wheel = build(Path(temporary))
        vendored = [(path.name, path.read_bytes()) for path in VENDOR.glob("*.whl")]
        return vendored == [(wheel.name, wheel.read_bytes())] and all(
            pin(lock, wheel) == lock.read_text(encoding="utf-8") for lock in LOCKS
        )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.kit", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if vendor/ is not what kit/ builds")
    try:
        if not parser.parse_args(arguments).check:
            print(f"Wrote {renew().relative_to(ROOT)} and its hash in the lock files")
        elif not is_current():
            raise KitError("the wheel in vendor/ is not what kit/ builds: type make kit")
    except KitError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
