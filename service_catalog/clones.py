"""A person's clone of a project's repository: a branch is written into it, and her files stay as they are."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from service_catalog.aws.repositories import Files
from service_catalog.errors import InputError
from service_catalog.threeway import File

_NOBODY = "0" * 40


@dataclass(frozen=True)
class Clone:
    """A git repository on this machine."""

    folder: Path

    def _git(self, *words: str, stdin: bytes | None = None, index: str = "") -> bytes:
        """The output of git. Raises InputError with what it said."""
        environment = {**os.environ, **({"GIT_INDEX_FILE": index} if index else {})}
        command = ["git", "-C", str(self.folder), *words]
        done = subprocess.run(command, input=stdin, env=environment, capture_output=True)
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            raise InputError(f"--clone {self.folder}: git {words[0]} says: {said}")
        return done.stdout

    def head(self, branch: str) -> str:
        """The newest commit of a branch here, the remote's if it was fetched; empty if there is none."""
        names = (f"refs/remotes/origin/{branch}", f"refs/heads/{branch}")
        found = self._git("for-each-ref", "--format=%(refname) %(objectname)", *names).decode().splitlines()
        commits = dict(line.split(" ") for line in found)
        return next((commits[name] for name in names if name in commits), "")

    def read(self, path: str, commit: str) -> File | None:
        """A file of a commit; None if it has none of that name."""
        entry = self._git("ls-tree", "-z", commit, "--", f":(top,literal){path}").decode("utf-8", "replace")
        mode, kind, blob = (entry.partition("\t")[0].split(" ") if entry else ["", "", ""])[:3]
        if kind != "blob":
            return None
        return File(self._git("cat-file", "blob", blob), mode == "100755")

    def commit(self, branch: str, start: str, files: Files, message: str) -> None:
        """Point a branch at a new commit after `start`; the one commit that an earlier run left is replaced."""
        if self._git("branch", "--list", "--format=%(worktreepath)", branch).strip():
            raise InputError(f"--clone {self.folder}: branch {branch} is checked out there; check out another first.")
        if self._git("for-each-ref", f"refs/heads/{branch}"):
            after = int(self._git("rev-list", "--count", f"{start}..refs/heads/{branch}"))
            if after > 1:
                raise InputError(
                    f"--clone {self.folder}: branch {branch} holds commits of yours: push and merge it, or delete it."
                )
        with tempfile.TemporaryDirectory() as folder:
            index = str(Path(folder) / "index")
            self._git("read-tree", start, index=index)
            lines = []
            for path, file in files.items():
                if file is None:
                    lines.append(f"0 {_NOBODY}\t{path}\0")
                    continue
                blob = self._git("hash-object", "-w", "--stdin", stdin=file.content).decode().strip()
                lines.append(f"{'100755' if file.executable else '100644'} {blob}\t{path}\0")
            self._git("update-index", "-z", "--index-info", stdin="".join(lines).encode("utf-8"), index=index)
            tree = self._git("write-tree", index=index).decode().strip()
        made = self._git("commit-tree", tree, "-p", start, stdin=message.encode("utf-8")).decode().strip()
        self._git("update-ref", f"refs/heads/{branch}", made)
