"""python -m sagemaker_project_kit.source FOLDER: the installed kit as source that can be read, debugged and patched.

It writes FOLDER with the files of the wheel and a pyproject.toml made from its metadata; `make kit-source` installs
that in the wheel's place. A folder that is there already is left as it is: somebody's patches may be in it.
"""

import argparse
import json
import re
import sys
from importlib import metadata
from pathlib import Path

NAME = "sagemaker-project-kit"
PACKAGES = ("sagemaker_project_kit", "sagemaker_project_runtime")
_EXTRA = re.compile(r"\s*(?:and )?extra == ['\"]([\w-]+)['\"]")
_SAY = """{folder} {state}; it takes the place of the wheel in .venv.
Edit it, and every verb uses it; jobs too, under a content hash of its own. CodeBuild keeps the wheel: bring a patch
that is to stay to the repository of the template.
Back to the wheel: make clean install. The folder stays until you remove it."""


class SourceError(Exception):
    """There is no source to write; the message says why and what to do."""


def unpack(folder: Path) -> bool:
    """Write the source into the new `folder`; False, and nothing is written, if it is there already.

    Raises:
        SourceError: the kit is not installed from a wheel.
    """
    if folder.exists():
        return False
    kit = metadata.distribution(NAME)
    files = [file for file in kit.files or [] if file.parts[0] in PACKAGES and "__pycache__" not in file.parts]
    if not files:
        raise SourceError("the kit is not installed from a wheel but from its source: make clean install, then again")
    for file in files:
        target = folder / "src" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(str(file.locate())).read_bytes())
    (folder / "pyproject.toml").write_text(project_file(kit), encoding="utf-8")
    return True


def project_file(kit: metadata.Distribution) -> str:
    """A pyproject.toml that installs as what `kit` is: the same version and extras."""
    extras: dict[str, list[str]] = {extra: [] for extra in kit.metadata.get_all("Provides-Extra") or []}
    for requirement in kit.requires or []:
        (extra,) = _EXTRA.findall(requirement)
        extras[extra].append(_EXTRA.sub("", requirement).strip().removesuffix(";").strip())
    python = kit.metadata["Requires-Python"]
    lines = ["[build-system]", 'requires = ["uv_build>=0.13,<0.14"]', 'build-backend = "uv_build"', "", "[project]"]
    lines += [f'name = "{NAME}"', f'version = "{kit.version}"', f'requires-python = "{python}"', ""]
    lines += ["[project.optional-dependencies]", *(f"{extra} = {json.dumps(extras[extra])}" for extra in extras), ""]
    return "\n".join([*lines, "[tool.uv.build-backend]", f"module-name = {json.dumps(PACKAGES)}", ""])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sagemaker_project_kit.source", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder.resolve()
    try:
        state = "holds the source of the kit" if unpack(folder) else "was there already and is left as it is"
    except SourceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(_SAY.format(folder=folder, state=state))
    return 0


if __name__ == "__main__":
    sys.exit(main())
