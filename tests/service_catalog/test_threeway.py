"""Three trees: what an update takes, merges, leaves and removes."""

import io
import zipfile

import pytest

from service_catalog.threeway import File, Update, tree_of, update

TEXT = "\n".join("abcdefghij")


def run(base: dict[str, str], theirs: dict[str, str], ours: dict[str, str]) -> Update:
    trees = [{path: File(text.encode()) for path, text in tree.items()} for tree in (base, theirs, ours)]
    return update(trees[0], trees[1], trees[2].get)


def texts(found: Update) -> dict[str, str | None]:
    return {path: file.content.decode() if file else None for path, file in found.files.items()}


@pytest.mark.parametrize(
    ("base", "theirs", "ours", "taken"),
    [
        ("1", "2", "1", {"f": "2"}),
        ("1", None, "1", {"f": None}),
        (None, "1", None, {"f": "1"}),
        ("1", "1", "9", {}),
        ("1", "1", None, {}),
        ("1", "2", "2", {}),
        ("1", None, None, {}),
        (None, "1", "1", {}),
    ],
    ids=["changed", "dropped", "added", "ours alone", "deleted by us", "done", "dropped by both", "added by both"],
)
def test_what_is_taken_without_a_question(base: str, theirs: str, ours: str, taken: dict[str, str | None]) -> None:
    trees = [{"f": text} if text else {} for text in (base, theirs, ours)]
    found = run(*trees)
    assert (texts(found), found.merged, found.conflicts) == (taken, [], {})


def test_changes_of_different_lines_are_merged() -> None:
    found = run({"f": TEXT}, {"f": TEXT.replace("b", "B")}, {"f": TEXT.replace("i", "I")})
    assert texts(found) == {"f": TEXT.replace("b", "B").replace("i", "I")}
    assert (found.merged, found.conflicts) == (["f"], {})


@pytest.mark.parametrize(
    ("base", "theirs", "ours", "why"),
    [
        ("1\n", "2\n", "3\n", "both changed the same lines"),
        ("1\n", None, "3\n", "you changed it, the template has dropped it"),
        ("1\n", "2\n", None, "you deleted it, the template changed it"),
        (None, "2\n", "3\n", "both have added it"),
    ],
)
def test_a_conflict_is_left_with_what_the_template_changed(base: str, theirs: str, ours: str, why: str) -> None:
    found = run(*({"f": text} if text else {} for text in (base, theirs, ours)))
    assert found.conflicts == {"f": why}
    assert "f" not in found.files
    assert set(found.files) == ({"f.rej"} if theirs else set())
    if theirs:
        assert "+2" in (texts(found)["f.rej"] or "")


def test_what_is_no_text_is_not_merged() -> None:
    found = run({"f": "\0" + TEXT}, {"f": "\0" + TEXT + "1"}, {"f": "0\0" + TEXT})
    assert (list(found.conflicts), found.files) == (["f"], {})


def test_a_mode_is_part_of_a_file() -> None:
    base, theirs = {"f": File(b"1")}, {"f": File(b"1", executable=True)}
    assert update(base, theirs, base.get).files == {"f": File(b"1", executable=True)}


def test_a_seed_is_read_with_its_modes() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, mode in (("run.sh", 0o100755), ("größe.txt", 0o100644)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, name)
    expected = {"run.sh": File(b"run.sh", executable=True), "größe.txt": File("größe.txt".encode())}
    assert tree_of(content.getvalue()) == expected
