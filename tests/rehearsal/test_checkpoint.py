"""A rehearsal goes on from a state that was kept, as often as one likes, and the state stays as it was."""

import socket
from pathlib import Path

import pytest

from rehearsal.report.facts import StepFact
from rehearsal.story import checkpoint, people
from rehearsal.story.checkpoint import CheckpointError, Place
from rehearsal.story.world import Options

OPTIONS = Options(size="small")


class Quiet:
    """Shows nothing."""

    def changed(self, fact: StepFact) -> None:
        """Nobody looks on."""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder and a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Place(tmp_path / "now", free.getsockname()[1])


@pytest.fixture
def kept(tmp_path: Path, place: Place) -> Path:
    """A state with the company's people, a bucket, and something that the story remembers."""
    with checkpoint.begun(place, OPTIONS, Quiet()) as world:
        people.prepare(world)
        world.client("s3").create_bucket(Bucket="precious")
        world.project.id, world.kept["release"] = "p-1", "execution"
    checkpoint.freeze(world, tmp_path / "kept")
    return tmp_path / "kept"


def test_it_goes_on_twice_from_the_same_state(kept: Path, place: Place) -> None:
    for _ in range(2):
        with checkpoint.going_on(kept, place, OPTIONS, Quiet()) as world:
            buckets = [each["Name"] for each in world.client("s3").list_buckets()["Buckets"]]
            assert (buckets, world.project.id, world.kept["release"]) == (["precious"], "p-1", "execution")
            world.client("s3").delete_bucket(Bucket="precious")


def test_after_a_kill_it_goes_on_where_it_was(kept: Path, place: Place) -> None:
    with checkpoint.going_on(kept, place, OPTIONS, Quiet()) as world:
        world.emulator.kill()
        with checkpoint.restarted(world) as again:
            assert again.emulator.address == world.emulator.address
            assert again.client("s3").list_buckets()["Buckets"]
            assert again.project.id == "p-1"


def test_another_place_is_refused(kept: Path, place: Place, tmp_path: Path) -> None:
    for elsewhere in (Place(tmp_path / "other", place.port), Place(place.folder, place.port + 1)):
        with (
            pytest.raises(CheckpointError, match="go on from there"),
            checkpoint.going_on(kept, elsewhere, OPTIONS, Quiet()),
        ):
            pass


def test_what_still_runs_cannot_be_kept(place: Place, tmp_path: Path) -> None:
    with (
        checkpoint.begun(place, OPTIONS, Quiet()) as world,
        pytest.raises(CheckpointError, match="still runs"),
    ):
        checkpoint.freeze(world, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_folder_without_a_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        checkpoint.recall(tmp_path)


def test_a_port_that_somebody_has_is_noticed(place: Place) -> None:
    assert place.is_free()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", place.port))
        taken.listen()
        assert not place.is_free()
