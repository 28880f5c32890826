"""A rehearsal goes on from a state that was kept, as often as one likes, and the state stays as it was."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from rehearsal.report.facts import StepFact
from rehearsal.story import checkpoint, people
from rehearsal.story.checkpoint import CheckpointError
from rehearsal.story.world import Options

OPTIONS = Options(size="small")


class Quiet:
    """Shows nothing."""

    def changed(self, fact: StepFact) -> None:
        """Nobody looks on."""


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A state with the company's people, a bucket, a queue, whose URL has the address, and what the story remembers."""
    with checkpoint.begun(tmp_path / "begun", OPTIONS, Quiet()) as world:
        people.prepare(world)
        world.client("s3").create_bucket(Bucket="precious")
        world.client("sqs").create_queue(QueueName="waiting")
        world.project.id, world.kept["release"] = "p-1", "execution"
    checkpoint.freeze(world, tmp_path / "kept")
    return tmp_path / "kept"


def test_it_goes_on_several_times_from_the_same_state_also_at_once(kept: Path, tmp_path: Path) -> None:
    with ExitStack() as several:
        for name in ("one", "two"):
            world = several.enter_context(checkpoint.going_on(kept, tmp_path / name, OPTIONS, Quiet()))
            buckets = [each["Name"] for each in world.client("s3").list_buckets()["Buckets"]]
            assert (buckets, world.project.id, world.kept["release"]) == (["precious"], "p-1", "execution")
            world.client("s3").delete_bucket(Bucket="precious")


def test_what_names_the_address_names_the_new_one(kept: Path, tmp_path: Path) -> None:
    with checkpoint.going_on(kept, tmp_path / "now", OPTIONS, Quiet()) as world:
        before, now = checkpoint.recall(kept).port, checkpoint.port_of(world)
        url = world.client("sqs").get_queue_url(QueueName="waiting")["QueueUrl"]
        assert f":{now}/" in url and before != now


def test_after_a_kill_it_goes_on_where_it_was(kept: Path, tmp_path: Path) -> None:
    with checkpoint.going_on(kept, tmp_path / "now", OPTIONS, Quiet()) as world:
        world.emulator.kill()
        with checkpoint.restarted(world) as again:
            assert again.emulator.address == world.emulator.address
            assert again.client("s3").list_buckets()["Buckets"]
            assert again.project.id == "p-1"


@pytest.mark.parametrize(
    "other", [Options(size="medium"), Options(size="small", provider="connection"), Options(size="small", channel="s3")]
)
def test_a_state_of_another_company_is_refused(kept: Path, tmp_path: Path, other: Options) -> None:
    with (
        pytest.raises(CheckpointError, match="a small codecommit catalog company"),
        checkpoint.going_on(kept, tmp_path / "now", other, Quiet()),
    ):
        pass


def test_what_still_runs_cannot_be_kept(tmp_path: Path) -> None:
    with (
        checkpoint.begun(tmp_path / "now", OPTIONS, Quiet()) as world,
        pytest.raises(CheckpointError, match="still runs"),
    ):
        checkpoint.freeze(world, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_a_folder_without_a_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        checkpoint.recall(tmp_path)


def test_a_port_that_somebody_has_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(checkpoint, "_PORTS", range(port, port + 100))
        assert checkpoint.free_port() != port
        monkeypatch.setattr(checkpoint, "_PORTS", [port] * 100)
        with pytest.raises(CheckpointError, match="end what listens there"):
            checkpoint.free_port()
