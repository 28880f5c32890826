"""Models of earlier kits: one that is stored, and how to make the installed kit a later one than a model's.

released/1873ef9 is a model.tar.gz as the template of that commit trained it, before there was a kit (its code is
`model_build.serving`), with the contract that its Evaluate step wrote: churn, four columns, three trees.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from kit.tests.places import KIT, SOURCES

LINES = "application/jsonlines"


@dataclass(frozen=True)
class Released:
    """A folder with a model and its contract."""

    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "model.tar.gz"

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


BEFORE_THE_KIT = Released(KIT / "tests" / "released" / "1873ef9")


def later_runtime(folder: Path) -> Path:
    """The runtime of a later kit, to come first on PYTHONPATH: models are made of other files, and it answers "v2"."""
    later = Path(shutil.copytree(SOURCES / "sagemaker_project_runtime", folder / "sagemaker_project_runtime"))
    changes = 0
    for path in later.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        changed = text.replace('"transformation.json"', '"columns.json"').replace('"prediction"', '"v2"')
        changes += changed != text
        path.write_text(changed, encoding="utf-8")
    assert changes >= 2
    return folder
