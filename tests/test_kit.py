"""scripts/kit.py: the wheel in the template is what kit/ builds, the same bytes on every machine."""

import base64
import csv
import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import kit
from scripts.bake import ROOT, tracked_files
from scripts.kit import KitError


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What kit/ builds."""
    return kit.build(tmp_path_factory.mktemp("built"))


def test_the_template_carries_what_kit_builds() -> None:
    """If this fails: make kit."""
    assert kit.main(["--check"]) == 0


def sources(destination: Path, umask: int, moment: int) -> Path:
    """A copy of kit/ as somebody else's git would leave it: other modes, another time."""
    for name in (path for path in tracked_files(ROOT) if path.parts[0] == "kit"):
        target = destination / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
        target.chmod(0o666 & ~umask)
        os.utime(target, (moment, moment))
    return destination / "kit"


@pytest.fixture
def restored_umask() -> Iterator[None]:
    before = os.umask(0)
    os.umask(before)
    yield
    os.umask(before)


@pytest.mark.usefixtures("restored_umask")
@pytest.mark.parametrize(("umask", "moment"), [(0o077, 1_000_000_000), (0o002, 2_000_000_000)])
def test_the_same_bytes_on_every_machine(
    wheel: Path, tmp_path: Path, umask: int, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.umask(umask)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    other = kit.build(tmp_path / "out", sources(tmp_path / "another folder", umask, moment))
    assert other.name == wheel.name
    assert other.read_bytes() == wheel.read_bytes()


def test_members_are_stored_and_carry_no_time(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        members = archive.infolist()
    assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}
    assert {member.external_attr >> 16 for member in members} == {0o100644}


def test_its_record_is_true_and_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    (record,) = [name for name in contents if name.endswith(".dist-info/RECORD")]
    rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(contents[record].decode("utf-8")))}
    assert rows.pop(record) == ("", "")
    assert rows == {name: (digest(text), str(len(text))) for name, text in contents.items() if name != record}


def digest(content: bytes) -> str:
    """As RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


def test_it_holds_both_packages_with_their_marks_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"sagemaker_project_kit/py.typed", "sagemaker_project_runtime/py.typed"} <= set(names)
    assert {name.split("/")[0].partition("-")[0] for name in names} == {
        "sagemaker_project_kit",
        "sagemaker_project_runtime",
    }


# --- a template of the test's own, whose vendor/ and locks it may spoil -----------------------------------------------


@pytest.fixture
def vendor(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """vendor/ as `make kit` leaves it, and locks that name it; kit/ need not be built again."""
    folder = tmp_path / "vendor"
    shutil.copytree(kit.VENDOR, folder)
    locks = tuple(Path(shutil.copy2(lock, tmp_path / f"{number}.lock")) for number, lock in enumerate(kit.LOCKS))
    monkeypatch.setattr(kit, "ROOT", tmp_path)
    monkeypatch.setattr(kit, "VENDOR", folder)
    monkeypatch.setattr(kit, "LOCKS", locks)
    monkeypatch.setattr(kit, "build", lambda into: Path(shutil.copy2(wheel, into)))
    return folder


def spoil_by_editing(vendor: Path) -> None:
    (file,) = vendor.iterdir()
    file.write_bytes(file.read_bytes()[:-1])


def spoil_by_adding(vendor: Path) -> None:
    (vendor / "sagemaker_project_kit-0.1.0-py3-none-any.whl").write_bytes(b"older")


def spoil_by_removing(vendor: Path) -> None:
    (file,) = vendor.iterdir()
    file.unlink()


def spoil_a_lock(vendor: Path) -> None:
    lock = kit.LOCKS[1]
    (file,) = vendor.iterdir()
    named = hashlib.sha256(file.read_bytes()).hexdigest()
    lock.write_text(lock.read_text("utf-8").replace(named, "0" * 64), "utf-8")


@pytest.mark.parametrize("spoil", [spoil_by_editing, spoil_by_adding, spoil_by_removing, spoil_a_lock])
def test_what_is_not_current_is_told_and_mended(
    vendor: Path, wheel: Path, spoil: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert kit.main(["--check"]) == 0
    spoil(vendor)
    assert kit.main(["--check"]) == 1
    assert "type make kit" in capsys.readouterr().err
    assert kit.main([]) == 0
    assert [file.read_bytes() for file in vendor.iterdir()] == [wheel.read_bytes()]
    assert kit.main(["--check"]) == 0


def test_a_lock_of_another_version_asks_for_make_lock(vendor: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = kit.LOCKS[0]
    lock.write_text(lock.read_text("utf-8").replace("sagemaker-project-kit==", "sagemaker-project-kit==9."), "utf-8")
    assert kit.main([]) == 1
    assert "0.lock does not pin version" in (said := capsys.readouterr().err)
    assert said.endswith("type make lock\n")


def test_a_kit_that_cannot_be_built_says_why(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    with pytest.raises(KitError, match="cannot be built"):
        kit.build(tmp_path / "out", tmp_path)
