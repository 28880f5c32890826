"""python -m sagemaker_project_kit.deploy release | verify | rollback: the verbs of the deploy half.

`release` chooses the approved model package and writes the artifacts that CloudFormation deploys from; `verify` proves
that a stage works; `rollback` writes the artifacts of a release that worked. With --local they use the registry that
`make run` keeps on this machine.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from sagemaker_project_kit import version
from sagemaker_project_kit.deploy.errors import DeployError, VerifyError
from sagemaker_project_kit.deploy.settings import STAGES

if TYPE_CHECKING:
    from sagemaker_project_kit.deploy.history import History
    from sagemaker_project_kit.deploy.wiring import Project

LOCAL_STATE = ".local"
# Where CodeBuild puts the pipeline's artifact "Release" when it is not the first input.
RELEASE_INPUT = "CODEBUILD_SRC_DIR_Release"
# A build log is no terminal and has no width of its own.
console = Console(width=None if sys.stdout.isatty() else 140)


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; 0 if it succeeded, 1 with one clear message if not, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        version.require_pinned(Path())
        verb: Callable[[argparse.Namespace], None] = options.verb
        verb(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, _expected_errors()):
            raise
        Console(stderr=True).print(Text.assemble(("error: ", "red"), str(error)), soft_wrap=True)
        return 1
    return 0


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors whose message is written for the person who reads it; anything else keeps its traceback."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (DeployError, version.KitVersionError, ClientError, BotoCoreError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sagemaker_project_kit.deploy",
        description="The deploy half: approved model in, tested endpoints out.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_release(verbs.add_parser("release", help="write build/release: what is released, and each stage's parameters"))
    _add_verify(verbs.add_parser("verify", help="test a stage's endpoint, or a server on this machine"))
    _add_rollback(verbs.add_parser("rollback", help="write build/release for a release that worked"))
    return parser


def _add_common(parser: argparse.ArgumentParser, verb: Callable[[argparse.Namespace], None]) -> None:
    help_text = "use the registry and S3 of this machine (default folder: %(const)s)"
    parser.add_argument("--local", nargs="?", const=LOCAL_STATE, metavar="FOLDER", help=help_text)
    parser.add_argument("--build", type=Path, default=Path("build"), help="folder of what is written (%(default)s)")
    parser.set_defaults(verb=verb)


def _add_stages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", action="append", choices=STAGES, dest="stages", help="only this stage; repeatable")


def _add_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--event", type=Path, metavar="FILE", help="the EventBridge event that started this, as JSON")
    parser.add_argument("--model", default="", help="release this VERSION or ARN (default: MODEL_PACKAGE_ARN)")
    parser.add_argument(
        "--confirm", action="store_true", help="only check that what was released may still be deployed"
    )
    _add_stages(parser)
    _add_common(parser, _release)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stage", default="", help="staging or prod (default: the environment's STAGE)")
    parser.add_argument("--target", default="", metavar="URL", help="a server on this machine instead of the endpoint")
    parser.add_argument("--capture", type=Path, metavar="FOLDER", help="where that server captures traffic")
    parser.add_argument("--seconds", type=_seconds, help="length of the load (default: config/<stage>.json, or 30)")
    _add_common(parser, _verify)


def _seconds(text: str) -> float:
    if not 1 <= float(text) <= 900:
        raise argparse.ArgumentTypeError("must be from 1 to 900")
    return float(text)


def _add_rollback(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", default="", metavar="MODEL", help="a VERSION or ARN (default: the one before)")
    _add_stages(parser)
    _add_common(parser, _rollback)


# Each verb imports what it needs, so that --help is instant.


def _release(options: argparse.Namespace) -> None:
    from sagemaker_project_kit.deploy import events

    environ = dict(os.environ)
    if options.event:
        environ.pop("MODEL_PACKAGE_ARN", None)
    project = _project(options, environ)
    if options.model:
        project = replace(
            project, settings=replace(project.settings, package_arn=project.arn(options.model), event_time="")
        )
    if options.confirm:
        _say(f"{project.releaser(_released_folder(options)).confirm()} may still be deployed.")
        return
    releaser = project.releaser(options.build / "release")
    choice = releaser.release(options.stages or STAGES, events.read(options.event) if options.event else None)
    _say(f"{choice.status}: {choice.reason}")
    if choice.package:
        _say(f"Artifacts: {options.build / 'release'}")


def _verify(options: argparse.Namespace) -> None:
    from sagemaker_project_kit.deploy import report, wiring
    from sagemaker_project_kit.deploy.progress import LoadProgress

    if options.target and options.local is None:
        options.local = LOCAL_STATE
    project = _project(options, os.environ)
    stage = project.settings.stage(options.stage or os.environ.get("STAGE", "")).name
    released = wiring.released(_released_folder(options))
    budget = wiring.budget(stage)
    if options.seconds:
        budget = replace(budget, seconds=options.seconds)
    tested = wiring.Tested(stage, options.target, options.capture)
    with LoadProgress(console) as progress:
        found = wiring.verification(project, tested, budget, released, progress).run(progress.tell)
    folder = options.build / "verify" / stage
    report.write(found, folder)
    report.show(found, console)
    if found.failed:
        raise VerifyError(f"{found.verdict} (see {folder / 'summary.md'})")
    _remember(project.history, released, stage, project.settings.project_id)


def _released_folder(options: argparse.Namespace) -> Path:
    return Path(os.environ.get(RELEASE_INPUT) or options.build / "release")


def _remember(history: "History", released: dict[str, Any], stage: str, project_id: str) -> None:
    from sagemaker_project_kit.deploy.history import Release

    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    uri = history.remember(
        Release(
            package_arn=released["package_arn"],
            group=released["group"],
            version=released["version"],
            stage=stage,
            released_for=released["released_for"],
            verified_at=now,
            git_commit=released["git_commit"],
            project_id=project_id,
        )
    )
    _say(f"Remembered as a good release: {uri}")


def _rollback(options: argparse.Namespace) -> None:
    from sagemaker_project_kit.deploy import rollback

    project = _project(options, os.environ)
    releaser = project.releaser(options.build / "release")
    choice = rollback.rollback(releaser, options.stages or STAGES, project.arn(options.to) if options.to else "")
    _say(f"{choice.reason}. Artifacts: {options.build / 'release'}")
    if warning := rollback.still_approved(releaser, choice):
        console.print(Text(warning, style="yellow"))


def _project(options: argparse.Namespace, environ: Mapping[str, str]) -> "Project":
    from sagemaker_project_kit.deploy import wiring

    if options.local is not None:
        return wiring.on_this_machine(environ, Path(options.local))
    return wiring.in_aws(environ)


def _say(text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
