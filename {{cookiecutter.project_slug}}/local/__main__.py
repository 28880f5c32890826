"""SageMaker on this machine.

python -m local run build/definition.json --assets build/assets.json
python -m local serve
python -m local registry list
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

STATE = Path(".local")


def main(argv: list[str] | None = None) -> int:
    """Carry out a command and return its exit code: 0 done, 1 a step failed, 2 refused, 128 + signal stopped."""
    arguments = _parser().parse_args(argv)
    if os.name == "nt":
        print("local: this needs process groups and signals; on Windows run it inside WSL (wsl --install).")
        return 2
    from local.errors import LocalError, in_words

    signal.signal(signal.SIGTERM, _terminate)
    try:
        return int(arguments.command(arguments))
    except LocalError as error:
        print(f"local: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"local: {in_words(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _terminate(number: int, _: FrameType | None) -> None:
    """Unwind, so that temporary folders are removed."""
    raise SystemExit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="run a pipeline definition"))
    _add_serve(commands.add_parser("serve", help="serve a registered model over HTTP"))
    _add_registry(commands.add_parser("registry", help="list, approve and reject model packages"))
    return parser


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, default=STATE, help="folder of storage, registry and cache (%(default)s)")


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("definition", type=Path, help="the pipeline definition, a JSON file")
    parser.add_argument("--assets", type=Path, help="JSON file: s3:// address → file to put there")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="of the pipeline")
    parser.add_argument("--lambda", action="append", default=[], dest="lambdas", metavar="NAME=MODULE:FUNCTION")
    parser.add_argument("--pipeline", help="its name (default: that of the group it registers into)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of run folders (%(default)s)")
    parser.add_argument("--no-cache", action="store_true", help="run every step, also those that have not changed")
    parser.add_argument(
        "--jobs", type=_positive, default=max(2, os.cpu_count() or 1), help="steps at a time (%(default)s)"
    )
    _add_state(parser)
    parser.set_defaults(command=_run)


def _positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", nargs="?", help="VERSION or GROUP/VERSION (default: the one approved last)")
    parser.add_argument("--host", default="127.0.0.1", help="%(default)s")
    parser.add_argument("--port", type=int, default=8080, help="%(default)s; 0 takes a free one")
    parser.add_argument("--capture", type=Path, default=STATE / "capture", help="folder of captured data (%(default)s)")
    parser.add_argument("--no-capture", action="store_true", help="capture nothing")
    parser.add_argument("--sampling-percentage", type=float, default=100.0, help="of requests captured (%(default)s)")
    _add_state(parser)
    parser.set_defaults(command=_serve)


def _add_registry(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="every version with its approval")
    _add_state(listing)
    listing.set_defaults(command=_list)
    for verb in ("approve", "reject"):
        command = verbs.add_parser(verb, help=f"{verb} a version")
        command.add_argument("model", nargs="?", help="VERSION or GROUP/VERSION (default: the newest that waits)")
        _add_state(command)
        command.set_defaults(command=_decide, verb=verb)


# Each command imports what it needs, so that --help and `registry` are instant.


def _run(arguments: argparse.Namespace) -> int:
    from local.run import Options, run

    return run(
        Options(
            definition=arguments.definition,
            assets=arguments.assets,
            parameters=arguments.parameter,
            lambdas=arguments.lambdas,
            pipeline=arguments.pipeline,
            state=arguments.state,
            runs=arguments.runs,
            use_cache=not arguments.no_cache,
            jobs=arguments.jobs,
        )
    )


def _serve(arguments: argparse.Namespace) -> int:
    from local.serving.serve import Options, serve

    return serve(
        Options(
            model=arguments.model,
            host=arguments.host,
            port=arguments.port,
            state=arguments.state,
            capture=None if arguments.no_capture else arguments.capture,
            percentage=arguments.sampling_percentage,
        )
    )


def _list(arguments: argparse.Namespace) -> int:
    from local.state.approvals import show
    from local.state.registry import Registry

    show(Registry(arguments.state / "registry"))
    return 0


def _decide(arguments: argparse.Namespace) -> int:
    from local.state.approvals import decide
    from local.state.registry import Registry

    package = decide(Registry(arguments.state / "registry"), arguments.verb, arguments.model)
    print(f"{package} is now {package.status}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
