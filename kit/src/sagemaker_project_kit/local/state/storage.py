"""Amazon S3 as a folder: s3://bucket/key is the file <root>/bucket/key.

An object or an output folder appears under its address in one rename, whole, or not at all; what is under way lives in
`staging`, on the same disk. Steps work on copies, never on hard links: a step that changes its input in place must not
change what is stored. (The copy is made by the kernel; it costs about 0.5 s a gigabyte. Outputs are moved, not copied.)
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from sagemaker_project_kit.local.errors import StorageError, in_words
from sagemaker_project_kit.local.state.atomic import token


class Storage:
    """The objects below `root`. `staging` is a folder of this process alone, on the same file system."""

    def __init__(self, root: Path, staging: Path) -> None:
        self.root = root
        self.staging = staging

    def path(self, uri: str) -> Path:
        """The file or folder that stands for `uri`. Raises StorageError unless it is s3://bucket/key."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        parts = PurePosixPath(key).parts
        if not uri.startswith("s3://") or not bucket or bucket.startswith(".") or ".." in parts:
            raise StorageError(f"{uri!r} is not an address of the form s3://bucket/key.")
        return self.root.joinpath(bucket, *parts)

    def exists(self, uri: str) -> bool:
        """Whether there is any object at or below `uri`."""
        return next(self._objects(uri), None) is not None

    def read_text(self, uri: str) -> str:
        """The text of one object. Raises StorageError if there is none."""
        try:
            return self.path(uri).read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise StorageError(f"There is nothing at {uri}.") from None

    def download(self, uri: str, folder: Path) -> None:
        """Copy every object whose key begins with that of `uri` into `folder`, as SageMaker does for an S3Prefix.

        Raises StorageError if there is none.
        """
        folder.mkdir(parents=True, exist_ok=True)
        found = False
        for source, relative in self._objects(uri):
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            found = True
        if not found:
            raise StorageError(f"There is nothing at {uri}.")

    def _objects(self, uri: str) -> Iterator[tuple[Path, Path]]:
        """(file, path relative to the prefix) of every object whose key begins with that of `uri`."""
        path = self.path(uri)
        yield from ((file, file.relative_to(path)) for file in _files(path))
        if path.is_file():
            yield path, Path(path.name)
        if not uri.endswith("/") and path.parent.is_dir():
            yield from self._longer_names(path)

    def _longer_names(self, path: Path) -> Iterator[tuple[Path, Path]]:
        for other in sorted(path.parent.iterdir()):
            if other.name.startswith(path.name) and other.name != path.name:
                files = [other] if other.is_file() else _files(other)
                yield from ((file, file.relative_to(path.parent)) for file in files)

    def put(self, source: Path, uri: str) -> None:
        """Copy the file `source` to `uri`; `source` stays as it is."""
        with_copy = self.staging / f"put-{token()}"
        try:
            shutil.copyfile(source, with_copy)
            self._move(with_copy, self.path(uri))
        finally:
            with_copy.unlink(missing_ok=True)

    def put_assets(self, assets: Mapping[str, Path]) -> None:
        """Put the files that a definition refers to. Their keys name their content, so what is there is right."""
        for uri, source in assets.items():
            if not self.path(uri).exists():
                self._put_asset(uri, source)

    def _put_asset(self, uri: str, source: Path) -> None:
        try:
            self.put(source, uri)
        except OSError as error:
            raise StorageError(f"Cannot store {source} at {uri}: {in_words(error)}.") from error

    def take(self, source: Path, uri: str) -> None:
        """Move the file or folder `source` to `uri`. A folder joins what is below `uri` already, file by file."""
        target = self.path(uri)
        if source.is_file():
            self._move(source, target)
            return
        if not any(_files(source)):
            return
        if target.exists():
            for file in _files(source):
                self._move(file, target / file.relative_to(source))
        else:
            self._move(source, target)

    def _move(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names))


def replace_links(folder: Path) -> None:
    """Put a copy in the place of each symbolic link: what a link points to is gone after the step."""
    for parent, folders, names in os.walk(folder):
        for link in [Path(parent, name) for name in (*folders, *names) if Path(parent, name).is_symlink()]:
            origin = link.resolve()
            link.unlink()
            if origin.is_dir():
                shutil.copytree(origin, link)
            elif origin.is_file():
                shutil.copyfile(origin, link)
