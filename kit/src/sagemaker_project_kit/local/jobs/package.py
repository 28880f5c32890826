"""Opening a model.tar.gz. It may come from anywhere, so nothing in it can reach outside the folder it is put into."""

import tarfile
from pathlib import Path

from sagemaker_project_kit.local.errors import StorageError, in_words


def unpack(archive: Path, folder: Path) -> None:
    """Extract `archive` into the new folder `folder`. Raises StorageError if it is missing, broken or unsafe."""
    folder.mkdir(parents=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except FileNotFoundError:
        raise StorageError(f"The file {archive} is gone.") from None
    except tarfile.TarError as error:
        raise StorageError(f"{archive} is no archive that can be unpacked safely: {error}.") from error
    except OSError as error:
        raise StorageError(f"Cannot unpack {archive}: {in_words(error)}.") from error
    except EOFError as error:
        raise StorageError(f"Cannot unpack {archive}: {error}.") from error
