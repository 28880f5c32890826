"""The emulator as a guest: it listens on loopback, keeps its state, and is gone when its host is."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.tests.waiting import PATIENCE, until
from rehearsal import host
from tests.numbers import next_account
from tests.rehearsal.engines import saved

A, B = "111111111111", "222222222222"


def is_running(process: int) -> bool:
    """Whether a process exists and has not ended."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def group_of(leader: int) -> set[int]:
    """The running processes of a process group."""
    shown = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in shown.splitlines()]
    return {int(pid) for pid, group, state in rows if int(group) == leader and not state.startswith("Z")}


def test_accounts_and_regions_are_apart(emulator: host.Emulator) -> None:
    number = next_account()
    emulator.client("sqs", number).create_queue(QueueName="q")
    assert emulator.client("sqs", number).list_queues()["QueueUrls"]
    assert not emulator.client("sqs", next_account()).list_queues().get("QueueUrls")
    assert not emulator.client("sqs", number, "eu-west-1").list_queues().get("QueueUrls")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's list of sockets")
def test_no_port_but_on_loopback(emulator: host.Emulator) -> None:
    owned = {link for process in group_of(emulator.process.pid) for link in _open_files(process)}
    listening = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in owned:
                listening.append(fields[1].rpartition(":")[0])
    assert listening and set(listening) == {"0100007F"}


def _open_files(process: int) -> Iterator[str]:
    """What the files of a process are; one that is closed while we look is none."""
    for link in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            yield str(link.readlink())


def test_nothing_is_left_running(state: Path) -> None:
    with host.emulator(state) as running:
        leader = running.process.pid
        assert group_of(leader)
    assert not group_of(leader)
    assert not (state / "address").exists()


def test_nothing_is_left_running_after_an_error(state: Path) -> None:
    with pytest.raises(ZeroDivisionError), host.emulator(state) as running:
        leader = running.process.pid
        raise ZeroDivisionError
    assert not group_of(leader)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_whoever_started_it(state: Path, number: signal.Signals) -> None:
    program = """
        import sys, time
        from pathlib import Path
        from rehearsal import host
        with host.emulator(Path(sys.argv[1])) as running:
            print(running.process.pid, flush=True)
            time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program), str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=host.ROOT) as parent:
        assert parent.stdout
        leader = int(parent.stdout.readline())
        parent.send_signal(number)
        parent.wait(PATIENCE)
    until(lambda: not group_of(leader))


def test_state_survives_an_orderly_end_and_a_kill(state: Path) -> None:
    with host.emulator(state) as running:
        running.client("servicecatalog", A).create_portfolio(DisplayName="p", ProviderName="x", IdempotencyToken="t")
        running.client("s3", A).create_bucket(Bucket="bucket-of-a")
        running.client("s3", A).put_object(Bucket="bucket-of-a", Key="k", Body=b"kept")
    with host.emulator(state) as running:
        assert len(running.client("servicecatalog", A).list_portfolios()["PortfolioDetails"]) == 1
        assert running.client("s3", A).get_object(Bucket="bucket-of-a", Key="k")["Body"].read() == b"kept"
        running.client("servicecatalog", B).create_portfolio(
            DisplayName="later", ProviderName="x", IdempotencyToken="t"
        )
        until(lambda: saved(state, "later"))
        running.kill()
    with host.emulator(state) as running:
        assert running.client("servicecatalog", B).list_portfolios()["PortfolioDetails"][0]["DisplayName"] == "later"


def test_reset_forgets_everything(state: Path) -> None:
    with host.emulator(state) as running:
        running.client("sagemaker", A).create_model_package_group(ModelPackageGroupName="g")
        running.client("sns", A).create_topic(Name="t")
        running.reset()
        assert running.client("sagemaker", A).list_model_package_groups()["ModelPackageGroupSummaryList"] == []
        assert running.client("sns", A).list_topics()["Topics"] == []


def test_a_missing_environment_is_a_sentence(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "PYTHON", Path("/nowhere/python"))
    with pytest.raises(host.EmulatorError, match=r"make \.venv/emulator\.installed"), host.emulator(state):
        pass


def test_windows_is_told_what_it_needs(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rehearsal.host.os.name", "nt")
    with pytest.raises(host.EmulatorError, match="WSL"):
        host._start(state, 0, "mark", [])


def test_a_port_in_use_is_told(emulator: host.Emulator, state: Path) -> None:
    port = int(emulator.address.rpartition(":")[2])
    with pytest.raises(host.EmulatorError, match="Address already in use"), host.emulator(state, port=port):
        pass


def test_a_stack_that_a_kill_interrupted_has_failed_and_can_be_deleted(state: Path) -> None:
    waiting = {"Type": "AWS::CloudFormation::WaitCondition", "Properties": {"Handle": {"Ref": "H"}, "Timeout": 600}}
    resources = {"H": {"Type": "AWS::CloudFormation::WaitConditionHandle"}, "W": waiting}
    with host.emulator(state) as running:
        formation = running.client("cloudformation", A)
        formation.create_stack(StackName="interrupted", TemplateBody=json.dumps({"Resources": resources}))
        until(lambda: saved(state, "interrupted"))
        running.kill()
    with host.emulator(state) as running:
        formation = running.client("cloudformation", A)
        stack = formation.describe_stacks(StackName="interrupted")["Stacks"][0]
        assert (stack["StackStatus"], "restarted" in stack["StackStatusReason"]) == ("CREATE_FAILED", True)
        formation.delete_stack(StackName="interrupted")
        until(lambda: not formation.describe_stacks()["Stacks"])


@pytest.mark.parametrize(
    "sent", [b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nfew", b"no HTTP at all\r\n\r\n"]
)
def test_what_is_no_whole_request_harms_nobody_else(emulator: host.Emulator, sent: bytes) -> None:
    port = int(emulator.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
    assert "Buckets" in emulator.client("s3", A).list_buckets()


@pytest.mark.parametrize("key", ["a b+ü%/x=1&y", "q?x#y", "~.-_*'()"])
def test_the_name_of_an_object_arrives_as_it_was_sent(enforcing: host.Emulator, key: str) -> None:
    s3 = enforcing.client("s3", A)
    s3.create_bucket(Bucket="names-as-sent")
    s3.put_object(Bucket="names-as-sent", Key=key, Body=b"v" * 200_000)
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="names-as-sent")["Contents"]] == [key]
    assert len(s3.get_object(Bucket="names-as-sent", Key=key)["Body"].read()) == 200_000
    s3.delete_object(Bucket="names-as-sent", Key=key)
