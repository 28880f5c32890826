"""Opening a model.tar.gz. It may come from anywhere, so nothing in it can reach outside the folder it is put into."""

import tarfile
from pathlib import Path

from sagemaker_project_kit.local.errors import StorageError, in_words


def unpack(archive: Path, folder: Path) -> None:
    """Extract `archive` into the new folder `folder`. Raises StorageError if it is missing, broken or unsafe."""
    folder.mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            _extract(tar, folder)
    except FileNotFoundError:
        raise StorageError(f"The file {archive} is gone.") from None
    except tarfile.TarError as error:
        raise StorageError(f"{archive} is no archive that can be unpacked safely: {error}.") from error
    except OSError as error:
        raise StorageError(f"Cannot unpack {archive}: {in_words(error)}.") from error
    except EOFError as error:
        raise StorageError(f"Cannot unpack {archive}: {error}.") from error


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Only what stays inside `folder`. tarfile learnt to see to that in Python 3.11.4; Debian 12 has 3.11.2."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(folder, filter="data")
        return
    for member in tar.getmembers():
        inside = (folder / member.name).resolve().is_relative_to(folder.resolve())
        if not inside or not (member.isfile() or member.isdir()):
            raise tarfile.TarError(f"{member.name!r} leads outside the folder, or is no plain file")
        member.mode &= 0o755
    tar.extractall(folder)  # noqa: S202 - seen to above
