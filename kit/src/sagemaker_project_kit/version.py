"""Whether the installed kit is the one that a project was written for: its pyproject.toml pins it.

Looked at before anything else, by every part: an older kit would report each new key of project.toml as a misspelling,
and a newer one would use what the project's files do not know. A project that pins no version takes what it gets.
"""

import re
from pathlib import Path

from sagemaker_project_kit import __version__

_PIN = re.compile(r'["\']sagemaker-project-kit(?:\[[\w,-]+\])? *== *([\w.]+)["\']')


class KitVersionError(Exception):
    """Another kit is installed than the project pins; the message says what to type."""


def require_pinned(root: Path, installed: str = __version__) -> None:
    """Raises KitVersionError if `root`/pyproject.toml pins another version than the installed one."""
    try:
        pins = set(_PIN.findall((root / "pyproject.toml").read_text(encoding="utf-8")))
    except OSError:
        return
    if pins and pins != {installed}:
        asked = " and ".join(sorted(pins))
        raise KitVersionError(
            f"pyproject.toml asks for version {asked} of sagemaker-project-kit, and {installed} is installed: type "
            "make clean install (if that is refused, vendor/ and requirements.lock are of another version: cruft "
            "update, or the pull request that make upgrade opens from the template's repository, brings all of them)"
        )
