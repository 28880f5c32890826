"""What release leaves for CodePipeline: build/release, replaced as a whole or not at all.

build/release/<stage>/<concern>.json   template configurations
build/release/<stage>/api.yaml         the API's template, with the name of its snapshot
build/release/release.json             what is released, why, and what speaks for it
build/release/variables.sh             the same in two variables that the buildspec exports to the pipeline
"""

import contextlib
import json
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagemaker_project_kit.deploy.errors import RegistryError

FOLDER = Path("build") / "release"
FILE = "release.json"


def write(folder: Path, release: Mapping[str, Any], stages: Mapping[str, Mapping[str, Any]]) -> None:
    """Replace `folder`. A reader sees the old artifacts, or the new, or for an instant none; never a mixture."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".release-", dir=folder.parent) as parent:
        draft = Path(parent) / "new"
        draft.mkdir()
        for stage, files in stages.items():
            (draft / stage).mkdir()
            for name, content in files.items():
                if isinstance(content, str):
                    (draft / stage / name).write_text(content, encoding="utf-8")
                else:
                    _write_json(draft / stage / name, content)
        _write_json(draft / FILE, release)
        (draft / "variables.sh").write_text(_variables(release), encoding="utf-8")
        with contextlib.suppress(FileNotFoundError):
            folder.replace(Path(parent) / "old")
        draft.replace(folder)


def remove(folder: Path) -> None:
    """Take away what an earlier run left, so that nobody deploys it in place of a release that was refused."""
    shutil.rmtree(folder, ignore_errors=True)


def read(folder: Path) -> dict[str, Any]:
    """What was released. Raises RegistryError without a release."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RegistryError(f"there is no {folder / FILE}: run `make release` first") from None
    except ValueError as error:
        raise RegistryError(f"{folder / FILE} is not JSON ({error}): run `make release` again") from None
    if not isinstance(content, dict) or "status" not in content:
        raise RegistryError(f"{folder / FILE} does not say what was released: run `make release` again")
    return content


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _variables(release: Mapping[str, Any]) -> str:
    variables = {"RELEASE_STATUS": release["status"], "MODEL_PACKAGE_ARN": release.get("package_arn") or ""}
    return "".join(f"export {name}={shlex.quote(str(value))}\n" for name, value in variables.items())
