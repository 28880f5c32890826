"""The kit that a project carries: nothing but the wheel that its lock names is installed, and what is wrong is said."""

import re
import shutil
import threading
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.baking import Shell
from tests.template.test_codeartifact import ASKED, install, machine, noted
from tests.template.test_make import project

__all__ = ["machine", "project"]  # fixtures

VERB = ("make", ".venv/local.installed")


@pytest.fixture
def wheel(project: Path) -> Path:
    """The one in vendor/."""
    (found,) = (project / "vendor").glob("*.whl")
    return found


def edit(wheel: Path) -> None:
    """As somebody would who opens the wheel, mends a module and packs it again: a sound archive, other bytes."""
    with zipfile.ZipFile(wheel) as archive:
        members = [(member, archive.read(member)) for member in archive.infolist()]
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, content in members:
            archive.writestr(member, content + b"# mended\n" * member.filename.endswith("aws.py"))


def cut_off(wheel: Path) -> None:
    """As a transfer that broke, or a git-lfs pointer, leaves it."""
    wheel.write_bytes(wheel.read_bytes()[:1000])


def flip(wheel: Path) -> None:
    """As a line ending that git converted leaves it."""
    content = bytearray(wheel.read_bytes())
    content[5000] ^= 1
    wheel.write_bytes(content)


@pytest.mark.bake
@pytest.mark.parametrize("spoil", [edit, cut_off, flip])
def test_a_wheel_that_the_lock_does_not_name(
    project: Path, shell: Shell, wheel: Path, spoil: Callable[[Path], None]
) -> None:
    shell.commit_all(project, "as it came")
    spoil(wheel)
    outcome = shell.run(*VERB, folder=project)
    assert outcome.code != 0
    assert f"vendor/{wheel.name} is not the kit that requirements.lock names (its hash is sha256:" in outcome.text
    assert not (project / ".venv" / "local.installed").exists()
    way_back = re.search(r"git checkout HEAD -- .*", outcome.text)
    assert way_back
    shell.do(*way_back[0].split(), folder=project)
    shell.do(*VERB, folder=project)


@pytest.mark.bake
def test_two_wheels(project: Path, shell: Shell, wheel: Path) -> None:
    newer = wheel.with_name("sagemaker_project_kit-9.0.0-py3-none-any.whl")
    shutil.copyfile(wheel, newer)
    outcome = shell.run(*VERB, folder=project)
    assert outcome.code != 0
    told = f"vendor/ must hold one wheel of the kit and holds vendor/{wheel.name} vendor/{newer.name}: delete all but"
    assert told in outcome.text
    newer.unlink()
    shell.do(*VERB, folder=project)


@pytest.mark.bake
def test_no_wheel_and_no_index_that_has_the_kit(project: Path, shell: Shell, wheel: Path) -> None:
    wheel.unlink()
    outcome = shell.run(*VERB, folder=project)
    assert outcome.code != 0
    assert "vendor/ holds no wheel, so the index must have sagemaker-project-kit" in outcome.text
    assert "bring back what was committed: git checkout HEAD -- vendor" in outcome.text


@pytest.mark.bake
@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_a_pin_and_a_lock_of_two_versions(project: Path, shell: Shell, name: str) -> None:
    file = project / name
    text = re.sub(r"(sagemaker-project-kit(?:\[\w+\])?==)[\d.]+", r"\g<1>9.0.0", file.read_text("utf-8"))
    file.write_text(text, "utf-8")
    outcome = shell.run(*VERB, folder=project)
    assert outcome.code != 0
    assert "of sagemaker-project-kit and requirements.lock for" in outcome.text
    assert "type make lock, or bring back what was committed" in outcome.text


def words_of_uv(machine: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> str:
    (machine / ".venv" / "local.installed").unlink(missing_ok=True)
    outcome = install(machine, shell, monkeypatch, **ASKED)
    assert outcome.code == 0, outcome.text
    return noted(machine, "words.txt")[-1]


def test_a_kit_from_codeartifact_needs_no_vendor(machine: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """uv is told where the wheel is only if there is one; else the kit comes with its hash from the index."""
    assert "--find-links vendor" in words_of_uv(machine, shell, monkeypatch)
    shutil.rmtree(machine / "vendor")
    assert "--find-links" not in words_of_uv(machine, shell, monkeypatch)
    assert noted(machine, "index.txt")[-1].startswith("uv https://aws:")


class Packages(BaseHTTPRequestHandler):
    """An index that has the kit and nothing else."""

    wheel: Path

    def do_GET(self) -> None:
        pages = {
            "/simple/sagemaker-project-kit/": f'<a href="/{self.wheel.name}">{self.wheel.name}</a>'.encode(),
            f"/{self.wheel.name}": self.wheel.read_bytes(),
        }
        content = pages.get(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Type", "text/html" if self.path.endswith("/") else "application/octet-stream")
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content or b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""


@pytest.mark.bake
@pytest.mark.parametrize("spoil", [None, edit])
def test_a_kit_from_an_index_is_held_to_the_same_hash(
    project: Path, shell: Shell, wheel: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None] | None
) -> None:
    """An index of one's own, without vendor/: the same wheel is installed, and another one is refused."""
    there = Path(shutil.move(wheel, shell.home / wheel.name))
    (project / "vendor").rmdir()
    if spoil:
        spoil(there)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("This", (Packages,), {"wheel": there}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setenv("UV_INDEX", f"http://127.0.0.1:{server.server_address[1]}/simple/")
    try:
        outcome = shell.run(*VERB, folder=project)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert (outcome.code == 0) is (spoil is None), outcome.text
    assert spoil is None or "Hash mismatch for `sagemaker-project-kit" in outcome.text
