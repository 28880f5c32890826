"""Archives may come from anywhere; with tarfile's own filter and, as in Debian 12's Python 3.11.2, without it."""

import io
import tarfile
from pathlib import Path

import pytest

from sagemaker_project_kit.local.errors import StorageError
from sagemaker_project_kit.local.jobs.package import unpack
from sagemaker_project_runtime.steps import evaluate
from sagemaker_project_runtime.steps.errors import EvaluationError


@pytest.fixture(params=["3.11.4", "3.11.2"], autouse=True)
def python(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What tarfile of that version can do."""
    if request.param == "3.11.2" and hasattr(tarfile, "data_filter"):
        monkeypatch.delattr(tarfile, "data_filter")
        given = tarfile.TarFile.extractall

        def extractall(tar: tarfile.TarFile, path: Path) -> None:
            given(tar, path, filter="fully_trusted")  # what it did then

        monkeypatch.setattr(tarfile.TarFile, "extractall", extractall)


def archive(folder: Path, name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Path:
    """An archive with one good file and one member of this name and kind."""
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for member_name, member_kind in (("code/good.py", tarfile.REGTYPE), (name, kind)):
            member = tarfile.TarInfo(member_name)
            member.type, member.linkname, member.mode = member_kind, link, 0o6777
            member.size = 2 if member_kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(b"x\n"))
    return path


def test_unpacks(tmp_path: Path) -> None:
    unpack(archive(tmp_path, "model.json"), tmp_path / "model")
    found = {
        path.relative_to(tmp_path / "model").as_posix(): path.stat().st_mode & 0o7022
        for path in (tmp_path / "model").rglob("*.*")
    }
    assert found == {"code/good.py": 0, "model.json": 0}


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../outside.txt", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "/etc"),
        ("link", tarfile.SYMTYPE, "../.."),
        ("hard", tarfile.LNKTYPE, "../../secret"),
        ("pipe", tarfile.FIFOTYPE, ""),
    ],
)
def test_nothing_leads_outside(tmp_path: Path, name: str, kind: bytes, link: str) -> None:
    path = archive(tmp_path, name, kind, link)
    with pytest.raises(StorageError, match=r"can be unpacked safely|Cannot unpack"):
        unpack(path, tmp_path / "model" / "deep")
    with pytest.raises(EvaluationError, match="cannot be unpacked"), evaluate.unpacked(tmp_path):
        pass
    assert not (tmp_path / "model" / "outside.txt").exists()
