"""S3 as a folder: addresses, prefixes, moves; and the folder for what is under way."""

from pathlib import Path

import pytest

from sagemaker_project_kit.local.errors import StorageError
from sagemaker_project_kit.local.state.storage import Storage
from sagemaker_project_kit.local.state.workspace import remove_abandoned, workspace


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """An empty storage."""
    (tmp_path / "staging").mkdir()
    return Storage(tmp_path / "s3", tmp_path / "staging")


def put(storage: Storage, uri: str, text: str = "x") -> None:
    """Store an object."""
    source = storage.staging / "source"
    source.write_text(text)
    storage.put(source, uri)


def names(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("s3://b/data/train", ["0.csv", "deep/1.csv", "train-more/2.csv", "train.txt"]),
        ("s3://b/data/train/", ["0.csv", "deep/1.csv"]),
        ("s3://b/data/train/0.csv", ["0.csv"]),
        ("s3://b/data/tr", ["train-more/2.csv", "train.txt", "train/0.csv", "train/deep/1.csv"]),
    ],
)
def test_a_prefix_is_a_prefix(storage: Storage, tmp_path: Path, uri: str, expected: list[str]) -> None:
    for key in ("train/0.csv", "train/deep/1.csv", "train-more/2.csv", "train.txt", "other.csv"):
        put(storage, f"s3://b/data/{key}")
    storage.download(uri, tmp_path / "in")
    assert names(tmp_path / "in") == expected


def test_nothing_there(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nothing at s3://b/x"):
        storage.download("s3://b/x", tmp_path / "in")
    assert not storage.exists("s3://b/x")


def test_a_folder_is_moved_and_joins_what_is_there(storage: Storage, tmp_path: Path) -> None:
    for number in ("1", "2"):
        folder = tmp_path / number
        folder.mkdir()
        (folder / f"{number}.txt").write_text(number)
        (folder / "same.txt").write_text(number)
        storage.take(folder, "s3://b/out")
    assert names(storage.path("s3://b/out")) == ["1.txt", "2.txt", "same.txt"]
    assert storage.read_text("s3://b/out/same.txt") == "2"


def test_an_empty_output_stores_nothing(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    storage.take(tmp_path / "empty", "s3://b/out")
    assert not storage.exists("s3://b/out")


def test_an_asset_that_is_there_is_not_put_again(storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("first")
    storage.put_assets({"s3://b/data/hash/data.csv": file})
    file.write_text("changed by its owner")
    assert storage.read_text("s3://b/data/hash/data.csv") == "first", "stored files are copies, not links"
    storage.put_assets({"s3://b/data/hash/data.csv": file})
    assert storage.read_text("s3://b/data/hash/data.csv") == "first"


def test_a_workspace_in_use_is_not_abandoned(tmp_path: Path) -> None:
    with workspace(tmp_path, "mine") as folder:
        (folder / "file").write_text("x")
        with workspace(tmp_path, "other"):
            pass
        remove_abandoned(tmp_path / "work")
        assert (folder / "file").exists()
    assert list((tmp_path / "work").iterdir()) == []


def test_an_abandoned_workspace_is_removed(tmp_path: Path) -> None:
    (tmp_path / "work/dead/deep").mkdir(parents=True)
    (tmp_path / "work/dead.lock").touch()
    remove_abandoned(tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []
