"""SageMaker on this machine.

python -m sagemaker_project_kit.local run build/definition.json --assets build/assets.json
python -m sagemaker_project_kit.local serve
python -m sagemaker_project_kit.local registry list
python -m sagemaker_project_kit.local deploy
"""

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from sagemaker_project_kit import version

STATE = Path(".local")


def main(argv: list[str] | None = None) -> int:
    """Carry out a command and return its exit code: 0 done, 1 a step failed, 2 refused, 128 + signal stopped."""
    arguments = _parser().parse_args(argv)
    if os.name == "nt":
        print("local: this needs process groups and signals; on Windows run it inside WSL (wsl --install).")
        return 2
    from sagemaker_project_kit.local.errors import LocalError, in_words

    signal.signal(signal.SIGTERM, _terminate)
    try:
        version.require_pinned(Path())
        return int(arguments.command(arguments))
    except (LocalError, version.KitVersionError) as error:
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
        prog="python -m sagemaker_project_kit.local",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="run a pipeline definition"))
    _add_serve(commands.add_parser("serve", help="serve a registered model over HTTP"))
    _add_registry(commands.add_parser("registry", help="list, approve and reject model packages"))
    _add_deploy(commands.add_parser("deploy", help="release to a staging and a production endpoint on this machine"))
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
    parser.add_argument("--endpoint", default="", help="name of the endpoint in captured data (default: the group)")
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


def _add_deploy(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", nargs="?", default="", help="VERSION or GROUP/VERSION (default: the one approved last)"
    )
    parser.add_argument("--stop", action="store_true", help="end the endpoints of this machine")
    parser.add_argument(
        "--released", action="store_true", help="take what build/release holds, as after `make rollback`"
    )
    parser.add_argument("--pace", type=_factor, default=100, help="waits play so many times as fast (%(default)s)")
    parser.add_argument("--rate", type=_factor, default=50, help="requests a second during a shift (%(default)s)")
    seconds = "length of the load of each verify (%(default)s; in the pipeline config/<stage>.json says it)"
    parser.add_argument("--verify-seconds", type=_factor, default=10, help=seconds)
    parser.add_argument("--build", type=Path, default=Path("build"), help="folder of what is written (%(default)s)")
    _add_state(parser)
    parser.set_defaults(command=_deploy)


def _factor(text: str) -> float:
    if not 1 <= float(text) <= 1000:
        raise argparse.ArgumentTypeError("must be from 1 to 1000")
    return float(text)


# Each command imports what it needs, so that --help and `registry` are instant.


def _run(arguments: argparse.Namespace) -> int:
    from sagemaker_project_kit.local.run import Options, run

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
    from sagemaker_project_kit.local.serving.serve import Options, serve

    return serve(
        Options(
            model=arguments.model,
            host=arguments.host,
            port=arguments.port,
            state=arguments.state,
            capture=None if arguments.no_capture else arguments.capture,
            percentage=arguments.sampling_percentage,
            endpoint=arguments.endpoint,
        )
    )


def _deploy(arguments: argparse.Namespace) -> int:
    from sagemaker_project_kit.local.deployment import deploy

    options = deploy.Options(
        model=arguments.model,
        state=arguments.state,
        build=arguments.build,
        pace=arguments.pace,
        rate=arguments.rate,
        verify_seconds=arguments.verify_seconds,
        released=arguments.released,
    )
    return deploy.stop(options) if arguments.stop else deploy.deploy(options)


def _list(arguments: argparse.Namespace) -> int:
    from sagemaker_project_kit.local.state.approvals import show
    from sagemaker_project_kit.local.state.registry import Registry

    show(Registry(arguments.state / "registry"))
    return 0


def _decide(arguments: argparse.Namespace) -> int:
    from sagemaker_project_kit.local.state.approvals import decide
    from sagemaker_project_kit.local.state.registry import Registry

    package = decide(Registry(arguments.state / "registry"), arguments.verb, arguments.model)
    print(f"{package} is now {package.status}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
