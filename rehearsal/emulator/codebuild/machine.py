"""What this machine gives a build in place of CodeBuild's image: a clean PATH, a home folder and interpreters.

Nothing of the caller's environment reaches a build but the variables that say how package registries are reached: on
AWS the image and the network see to that.
"""

import functools
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# How this machine reaches package registries.
_NETWORK = ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_CONFIG_FILE", "SSL_CERT_FILE",
            "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy",
            "https_proxy", "all_proxy", "no_proxy")  # fmt: skip
_TOOLS = ("sh", "bash", "make", "git", "env", "awk", "sed", "tar")
_SYSTEM_PATH = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin")
_PYTHONS = [f"python3.{minor}" for minor in range(9, 20)]
# The home folder of CodeBuild's images: what a buildspec puts there goes to the build's own home.
CONTAINER_HOME = "/root"


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine."""

    path: Path
    version: tuple[int, int]

    def __str__(self) -> str:
        return ".".join(map(str, self.version))


def network() -> dict[str, str]:
    """The variables that say how to reach package registries."""
    return {name: os.environ[name] for name in _NETWORK if name in os.environ}


def tool_folders() -> list[str]:
    """The folders of the tools that a build may call, the system's own first."""
    found = [str(Path(path).parent) for tool in _TOOLS if (path := shutil.which(tool))]
    return list(dict.fromkeys([*(folder for folder in _SYSTEM_PATH if Path(folder).is_dir()), *found]))


def nearest_python(wanted: str) -> Interpreter:
    """The interpreter whose version is nearest to `wanted`, 3.12 for example; newer before older."""
    match = re.match(r"(\d+)(?:\.(\d+))?", wanted)
    major, minor = (int(match[1]), int(match[2] or 12)) if match else (3, 12)
    return min(interpreters(), key=lambda found: (abs(found.version[0] - major), abs(found.version[1] - minor + 0.1)))


@functools.cache
def interpreters() -> tuple[Interpreter, ...]:
    """The interpreters on the caller's PATH that start, and the one that runs now."""
    return tuple(_interpreters())


def _interpreters() -> Iterator[Interpreter]:
    yield Interpreter(Path(sys._base_executable), sys.version_info[:2])  # type: ignore[attr-defined]
    for name in _PYTHONS:
        path = shutil.which(name)
        if path and (found := _ask(path)):
            yield found


def _ask(path: str) -> Interpreter | None:
    """A version manager's shim answers for interpreters that it does not have; those do not count."""
    question = "import sys; print(sys._base_executable, sys.version_info[0], sys.version_info[1], sep='\\n')"
    result = subprocess.run([path, "-I", "-S", "-c", question], capture_output=True, text=True, check=False)
    lines = result.stdout.splitlines()
    if result.returncode or len(lines) != 3:
        return None
    return Interpreter(Path(lines[0]), (int(lines[1]), int(lines[2])))


def link_python(interpreter: Interpreter, runtimes: Path) -> Path:
    """A folder below `runtimes` whose python is `interpreter`. It stays, because environments refer to it."""
    folder = runtimes / f"python{interpreter}" / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("python", "python3", f"python{interpreter}"):
        _link(folder / name, interpreter.path)
    return folder


def link_aws(runtimes: Path) -> Path:
    """A folder with the AWS CLI, which CodeBuild's images have: that of the emulator's own environment."""
    folder, program = runtimes / "aws" / "bin", Path(sys.executable).with_name("aws")
    folder.mkdir(parents=True, exist_ok=True)
    if program.is_file():
        _link(folder / "aws", program)
    return folder


def _link(link: Path, target: Path) -> None:
    """Another build may do the same at the same time."""
    if not link.is_symlink():
        draft = link.with_name(f".{link.name}.{secrets.token_hex(4)}")
        draft.symlink_to(target)
        draft.replace(link)


def prepare_home(home: Path, downloads: Path, git: str) -> None:
    """A home folder of the build's own with a configuration of git.

    What package registries gave is shared by all builds and stands for their nearness on AWS: ~/.cache/pip, and
    ~/.cache/uv, which is the machine's own, so that a build links the very files that the development environment was
    installed from. Everything else is cached as the buildspec says.
    """
    (home / ".cache").mkdir(parents=True)
    for name, target in (("uv", uv_cache()), ("pip", downloads / "pip")):
        shared = target if target.is_dir() else downloads / name
        shared.mkdir(parents=True, exist_ok=True)
        (home / ".cache" / name).symlink_to(shared, target_is_directory=True)
    (home / ".gitconfig").write_text(git, encoding="utf-8")


def uv_cache() -> Path:
    """Where uv keeps packages on this machine (`uv cache dir`)."""
    own = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uv"
    return Path(os.environ.get("UV_CACHE_DIR") or own)


def git_addresses(region: str, here: str) -> str:
    """A configuration of git in which the addresses of CodeCommit and of connections lead to `here`."""
    places = {"git-codecommit": "v1/repos", "codeconnections": "git-http", "codestar-connections": "git-http"}
    return "".join(
        f'[url "{here}/{path}/"]\n\tinsteadOf = https://{host}.{region}.amazonaws.com/{path}/\n'
        for host, path in places.items()
    )


def at_home(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """Values that name the home folder of CodeBuild's image, as the same place in this build's home."""
    return {name: _move(value, home) for name, value in variables.items()}


def _move(value: str, home: Path) -> str:
    inside = value == CONTAINER_HOME or value.startswith(f"{CONTAINER_HOME}/")
    return str(home) + value.removeprefix(CONTAINER_HOME) if inside else value
