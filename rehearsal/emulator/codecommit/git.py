"""A bare git repository: what CodeCommit tells about one, asked of git itself.

Everything here is a call of the program git with a path; nothing knows accounts, events or HTTP.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NOBODY = "0" * 40
_IDENTITY = {"GIT_AUTHOR_NAME": "CodeCommit", "GIT_AUTHOR_EMAIL": "codecommit@example.com"}
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class GitError(Exception):
    """git refused; the message is what it said."""


@dataclass(frozen=True)
class Change:
    """One file that differs between two commits. `kind`: A, M or D."""

    kind: str
    path: str
    before: tuple[str, str] | None  # (mode, blob id)
    after: tuple[str, str] | None


@dataclass(frozen=True)
class Commit:
    """What GetCommit tells."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: tuple[str, str, str]  # name, mail, "seconds zone"
    committer: tuple[str, str, str]
    message: str


def environment() -> dict[str, str]:
    """git without anybody's configuration and without questions."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }


@dataclass(frozen=True)
class Repository:
    """The bare repository at `path`."""

    path: Path

    def run(self, *arguments: str, input: bytes | None = None, extra: Mapping[str, str] | None = None) -> bytes:
        """The output of `git …`. Raises GitError."""
        command = ["git", f"--git-dir={self.path}", *arguments]
        result = subprocess.run(command, input=input, env=environment() | dict(extra or {}), capture_output=True)
        if result.returncode:
            raise GitError(result.stderr.decode("utf-8", "replace").strip() or f"git {arguments[0]} failed")
        return result.stdout

    def text(self, *arguments: str) -> str:
        """The output without the final newline."""
        return self.run(*arguments).decode("utf-8", "replace").rstrip("\n")

    def create(self, branch: str = "main") -> None:
        """Make it, empty, open for pushes over HTTP."""
        self.path.mkdir(parents=True)
        self.run("init", "--quiet", "--bare", f"--initial-branch={branch}", str(self.path))
        self.run("config", "http.receivepack", "true")

    def refs(self) -> dict[str, str]:
        """Full name of every branch and tag → commit."""
        lines = self.text("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags").splitlines()
        return {name: commit for name, _, commit in (line.partition(" ") for line in lines)}

    def branches(self) -> dict[str, str]:
        """Branch → commit."""
        prefix = "refs/heads/"
        return {name.removeprefix(prefix): commit for name, commit in self.refs().items() if name.startswith(prefix)}

    @property
    def default_branch(self) -> str:
        """What a clone checks out."""
        return self.text("symbolic-ref", "--short", "HEAD")

    def set_default_branch(self, branch: str) -> None:
        """What a clone checks out from now on."""
        self.run("symbolic-ref", "HEAD", f"refs/heads/{branch}")

    def update(self, reference: str, commit: str, old: str = "") -> None:
        """Point a reference to a commit, if it still is at `old` where that is given."""
        self.run("update-ref", reference, commit, *([old] if old else []))

    def delete(self, reference: str) -> None:
        """Remove a reference."""
        self.run("update-ref", "-d", reference)

    def resolve(self, name: str) -> str:
        """The id of the commit that a branch, tag, short or long id names. Raises GitError."""
        return self.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")

    def commit(self, name: str) -> Commit:
        """One commit. Raises GitError."""
        form = "%H%n%T%n%P%n%an%n%ae%n%ad%n%cn%n%ce%n%cd%n%B"
        lines = self.text("show", "--no-patch", "--date=raw", f"--format={form}", self.resolve(name)).split("\n")
        tree, parents = lines[1], tuple(lines[2].split())
        author, committer = (lines[3], lines[4], lines[5]), (lines[6], lines[7], lines[8])
        return Commit(lines[0], tree, parents, author, committer, "\n".join(lines[9:]).rstrip("\n") + "\n")

    def changes(self, before: str, after: str) -> Iterator[Change]:
        """What differs between two commits; `before` may be empty for nothing at all."""
        old = self.resolve(before) if before else _EMPTY_TREE
        output = self.run("diff-tree", "-r", "-z", "--no-renames", old, self.resolve(after)).decode("utf-8", "replace")
        fields = output.split("\0")
        for header, path in zip(fields[::2], fields[1::2], strict=False):
            old_mode, new_mode, old_blob, new_blob, kind = header.lstrip(":").split(" ")
            before_side = None if kind == "A" else (old_mode, old_blob)
            yield Change("M" if kind == "T" else kind, path, before_side, None if kind == "D" else (new_mode, new_blob))

    def tree(self, commit: str, folder: str = "") -> list[tuple[str, str, str, str]]:
        """(mode, type, id, path) of what lies in a folder."""
        return self._list(commit, [folder.rstrip("/") + "/"] if folder.strip("/") else [])

    def entry(self, commit: str, path: str) -> tuple[str, str, str, str]:
        """The same of one file. Raises GitError."""
        found = self._list(commit, [path])
        if len(found) != 1 or found[0][1] != "blob":
            raise GitError(f"{path} is no file of {commit}")
        return found[0]

    def _list(self, commit: str, places: Sequence[str]) -> list[tuple[str, str, str, str]]:
        output = self.run("ls-tree", "-z", commit, "--", *places).decode("utf-8", "replace")
        entries = (entry.partition("\t") for entry in output.split("\0") if entry)
        return [(*head.split(" "), path) for head, _, path in entries]  # type: ignore[misc]

    def file(self, commit: str, path: str) -> bytes:
        """The content of one file."""
        return self.run("cat-file", "blob", f"{self.resolve(commit)}:{path}")

    def archive(self, commit: str) -> bytes:
        """Every file of a commit as a zip archive, without .git."""
        return self.run("archive", "--format=zip", commit)

    def commit_folder(self, folder: Path, branch: str, message: str) -> str:
        """A first commit on `branch` with everything in `folder`, hidden files too; returns its id."""
        with tempfile.TemporaryDirectory() as place:
            index = {"GIT_INDEX_FILE": f"{place}/index", "GIT_WORK_TREE": str(folder)}
            self.run("add", "--all", "--force", ".", extra={**index, "GIT_LITERAL_PATHSPECS": "1"})
            tree = self.run("write-tree", extra=index).decode().strip()
        return self._store(tree, [], branch, message)

    def files(self, commit: str) -> list[str]:
        """The path of every file of a commit."""
        return self.run("ls-tree", "-r", "-z", "--name-only", commit).decode("utf-8", "replace").split("\0")[:-1]

    def holds(self, commit: str, path: str, content: bytes, executable: bool | None = None) -> bool:
        """Whether a commit has this file already, with this mode where one is given."""
        try:
            mode = self.entry(commit, path)[0]
        except GitError:
            return False
        return self.file(commit, path) == content and executable in (None, mode == "100755")

    def commit_files(
        self,
        parent: str,
        branch: str,
        message: str,
        put: Mapping[str, bytes],
        delete: Sequence[str],
        executable: Mapping[str, bool] | None = None,
    ) -> str:
        """A commit on `branch` after `parent` (empty for a first one) with files written and removed."""
        with tempfile.TemporaryDirectory() as place:
            index = {"GIT_INDEX_FILE": f"{place}/index"}
            if parent:
                self.run("read-tree", parent, extra=index)
            lines = [f"0 {NOBODY}\t{path}" for path in delete]
            for path, content in put.items():
                blob = self.run("hash-object", "-w", "--stdin", input=content).decode().strip()
                lines.append(f"{self._mode(parent, path, (executable or {}).get(path))} {blob}\t{path}")
            self.run("update-index", "--index-info", input="".join(f"{line}\n" for line in lines).encode(), extra=index)
            tree = self.run("write-tree", extra=index).decode().strip()
        return self._store(tree, [parent] if parent else [], branch, message)

    def _mode(self, parent: str, path: str, executable: bool | None) -> str:
        """An executable file stays one, unless its mode is given."""
        if executable is not None:
            return "100755" if executable else "100644"
        entry = self.text("ls-tree", parent, "--", path) if parent else ""
        return entry.partition(" ")[0] or "100644"

    def _store(self, tree: str, parents: Sequence[str], branch: str, message: str) -> str:
        people = _IDENTITY | {name.replace("AUTHOR", "COMMITTER"): value for name, value in _IDENTITY.items()}
        after = [word for parent in parents for word in ("-p", parent)]
        commit = self.run("commit-tree", tree, *after, "-m", message, extra=people).decode().strip()
        self.update(f"refs/heads/{branch}", commit, parents[0] if parents else NOBODY)
        return commit

    def remove(self) -> None:
        """Delete it with its history."""
        shutil.rmtree(self.path)
