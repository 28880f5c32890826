"""Packages that a team declares for its jobs: pinned, locked, of AWS's machines, and inside every model."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kit.tests.pipeline.conftest import Load
from sagemaker_project_kit.pipeline import wheels
from sagemaker_project_kit.pipeline.staging import stage
from sagemaker_project_kit.pipeline.wheels import WheelsError, collect
from sagemaker_project_runtime.job import TrainingError
from sagemaker_project_runtime.serving import wheels as runtime

NAME = "team_trees-1.2.0-py3-none-{}.whl"


def make(folder: Path, platform: str = "any", version: str = "1.2.0", needs: str = "") -> Path:
    """A wheel as small as they get, with one module in its place and one in .data."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAME.format(platform).replace("1.2.0", version)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("team_trees/__init__.py", f"__version__ = {version!r}\n")
        archive.writestr(f"team_trees-{version}.data/purelib/team_roots.py", "DEEP = True\n")
        facts = f"team_trees-{version}.dist-info"
        archive.writestr(f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: team-trees\nVersion: {version}\n{needs}")
        archive.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    return path


def declare(root: Path, requirement: str, *locked: Path) -> None:
    (root / "pyproject.toml").write_text(f"[dependency-groups]\njob-wheels = [{json.dumps(requirement)}]\n")
    hashes = " \\\n".join(f"    --hash=sha256:{hashlib.sha256(one.read_bytes()).hexdigest()}" for one in locked)
    (root / "requirements.lock").write_text(
        f"other==1 \\\n    --hash=sha256:{'0' * 64}\nteam-trees==1.2.0 \\\n{hashes}\n"
    )


def test_a_project_that_declares_none_ships_none(root: Path, load: Load) -> None:
    (root / "pyproject.toml").write_text("[dependency-groups]\njob-wheels = []\n")
    assert collect(root) == []
    assert not [uri for uri in stage(load(), root / "build").assets if "job_wheels" in uri]


def test_they_travel_under_the_content_hash(root: Path, load: Load) -> None:
    before = stage(load(), root / "build").locations.code
    wheel = make(root / "vendor")
    declare(root, "Team.Trees==1.2.0 ; sys_platform == 'linux'", wheel)
    staged = stage(load(), root / "build")
    assert staged.assets[f"{staged.locations.code}/package/job_wheels/{wheel.name}"] == wheel
    assert staged.locations.code != before


def test_of_several_the_one_for_aws_s_machines_is_taken(root: Path) -> None:
    other = make(root / "vendor", "macosx_14_0_arm64")
    fits = make(root / "vendor", "manylinux_2_27_x86_64.manylinux_2_28_x86_64")
    declare(root, "team-trees==1.2.0", other, fits)
    assert collect(root) == [fits]


@pytest.mark.parametrize(
    ("requirement", "told"),
    [
        ("team-trees>=1", "'team-trees>=1' must be a pin such as"),
        ("team-trees==1.3.0", r"requirements\.lock does not pin team-trees==1\.3\.0 .*make lock"),
    ],
)
def test_what_is_not_pinned_is_refused(root: Path, requirement: str, told: str) -> None:
    declare(root, requirement, make(root / "vendor"))
    with pytest.raises(WheelsError, match=told):
        collect(root)


def test_a_changed_wheel_is_not_taken_and_the_next_place_is_asked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is fetched must have the locked hash: pip refuses it otherwise."""
    wheel = make(root / "vendor")
    declare(root, "team-trees==1.2.0", wheel)
    index = make(root / "index")
    wheel.write_bytes(wheel.read_bytes() + b"!")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(root / "index"))
    assert [one.read_bytes() for one in collect(root)] == [index.read_bytes()]
    index.unlink()
    assert collect(root)[0].parent == root / "build" / "wheels"


NEEDS = [
    "numpy>=1.21",
    "Scikit-Learn",
    "tomli; python_version < '3.11'",
    "pywin32; sys_platform == 'win32'",
    "polars; extra == 'polars'",
]


def test_what_it_needs_is_in_the_image_or_travels_too(root: Path) -> None:
    """Also where this machine has it: it would be missed on AWS first."""
    lines = "".join(f"Requires-Dist: {need}\n" for need in NEEDS)
    declare(root, "team-trees==1.2.0", make(root / "vendor", needs=lines))
    assert len(collect(root)) == 1
    declare(root, "team-trees==1.2.0", make(root / "vendor", needs=f"{lines}Requires-Dist: rich>=13\n"))
    with pytest.raises(WheelsError, match="needs rich, which not all of AWS's images carry: add it to the group"):
        collect(root)


def test_what_cannot_be_fetched_says_where_to_put_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = make(root / "vendor")
    declare(root, "team-trees==1.2.0", wheel)
    wheel.unlink()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(WheelsError, match=r"team_trees==1\.2\.0 for AWS's image .* cannot be fetched: .*vendor/"):
        collect(root)


USE = """
import sys
from pathlib import Path
from sagemaker_project_runtime.serving import wheels
wheels.install(Path(sys.argv[1])); wheels.install(Path(sys.argv[1]))
import team_trees, team_roots
from importlib.metadata import version
print(team_trees.__version__, version("team-trees"), team_roots.DEEP, sum("job-wheels-" in place for place in sys.path))
print(Path(team_trees.__file__).parents[1])
"""


def test_jobs_take_them_without_pip_and_index_and_leave_nothing(tmp_path: Path) -> None:
    make(tmp_path / "job_wheels")
    done = subprocess.run([sys.executable, "-c", USE, str(tmp_path)], capture_output=True, text=True, check=True)
    facts, place = done.stdout.splitlines()
    assert facts == "1.2.0 1.2.0 True 2"
    assert not Path(place).exists()


def test_what_is_installed_is_left_alone(tmp_path: Path) -> None:
    import numpy

    (tmp_path / "job_wheels").mkdir()
    (tmp_path / "job_wheels" / f"numpy-{numpy.__version__}-py3-none-any.whl").write_bytes(b"no wheel")
    before = list(sys.path)
    runtime.install(tmp_path)
    assert sys.path == before


def test_a_wheel_of_another_machine_says_so(tmp_path: Path) -> None:
    make(tmp_path / "job_wheels", "macosx_14_0_arm64" if sys.platform == "linux" else "manylinux_2_28_x86_64")
    with pytest.raises(TrainingError, match="does not fit this machine"):
        runtime.install(tmp_path)


def test_a_project_without_pyproject_declares_nothing(tmp_path: Path) -> None:
    assert wheels.read_pins(tmp_path) == []
