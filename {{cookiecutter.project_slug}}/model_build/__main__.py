"""python -m model_build synthesize | show | upsert | run: the verbs of the build half.

`synthesize` and `show` work offline; `upsert` and `run` talk to AWS with boto3, under the environment that the
project's stack gives to CodeBuild. `make run` runs what `synthesize` wrote on this machine.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from model_build import settings as settings_module
from model_build.settings import Override, SettingsError
from model_build.tables import Settings

ROOT = Path(__file__).parent.parent
BUILD = Path("build")
console = Console()


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; 0 if it succeeded, 1 with one clear message if not, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m model_build", description="The build half: data in, registered model out."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    synthesize = verbs.add_parser("synthesize", help="write build/definition.json and build/assets.json")
    synthesize.add_argument("--data", default="", help="a CSV file of your own instead of the project's")
    synthesize.add_argument("--target", default="", help="the column to predict")
    synthesize.add_argument("--problem", default="", help="binary, multiclass or regression")
    synthesize.set_defaults(verb=_synthesize)
    show = verbs.add_parser("show", help="print the pipeline as a tree, or as Mermaid")
    show.add_argument("--mermaid", action="store_true", help="for a README: GitHub draws it")
    show.set_defaults(verb=_show)
    upsert = verbs.add_parser("upsert", help="upload code and data, create or update the pipeline on AWS")
    upsert.set_defaults(verb=_upsert)
    run = verbs.add_parser("run", help="upsert, start an execution on AWS and wait for it")
    run.add_argument("--no-wait", action="store_true", help="return as soon as the execution has started")
    run.set_defaults(verb=_run)
    return parser


def _expected_errors() -> tuple[type[Exception], ...]:
    """Errors whose message is written for the person who reads it; anything else keeps its traceback."""
    errors: list[type[Exception]] = [SettingsError]
    for name, module in (("DefinitionError", "model_build.validation"), ("ExecutionFailedError", "model_build.aws")):
        if module in sys.modules:
            errors.append(getattr(sys.modules[module], name))
    if "botocore.exceptions" in sys.modules:
        errors += [sys.modules["botocore.exceptions"].BotoCoreError, sys.modules["botocore.exceptions"].ClientError]
    return tuple(errors)


def _load(options: argparse.Namespace) -> Settings:
    override = Override(
        data=getattr(options, "data", ""),
        target=getattr(options, "target", ""),
        problem=getattr(options, "problem", ""),
    )
    return settings_module.load(ROOT, os.environ, override)


def _synthesize(options: argparse.Namespace) -> Any:
    from model_build.definition import synthesize

    settings = _load(options)
    synthesis = synthesize(settings, ROOT / BUILD, git_commit(os.environ), _announce_sdk)
    state = "unchanged" if synthesis.reused else "written"
    console.print(f"Pipeline definition {state}: {synthesis.definition.relative_to(ROOT)}", highlight=False)
    return settings, synthesis


def _announce_sdk() -> None:
    console.print(
        "Writing the pipeline definition with the SageMaker SDK; this takes some seconds, and only after a change …"
    )


def _show(options: argparse.Namespace) -> None:
    from model_build import graph
    from model_build.definition import synthesize

    settings = _load(options)
    definition = json.loads(synthesize(settings, ROOT / BUILD).definition.read_text(encoding="utf-8"))
    if options.mermaid:
        print(graph.mermaid(definition), end="")
    else:
        console.print(graph.tree(definition, settings.pipeline_name))


def _upsert(options: argparse.Namespace) -> tuple[Settings, Any]:
    """Refuse before anything is uploaded, upload before the pipeline refers to it."""
    from model_build import aws

    settings = _load(options)
    aws.require_account(settings)
    settings, synthesis = _synthesize(options)
    import boto3

    sagemaker = boto3.client("sagemaker", region_name=settings.environment.region)
    assets = {uri: Path(path) for uri, path in json.loads(synthesis.assets.read_text(encoding="utf-8")).items()}
    uploaded = aws.upload(
        boto3.client("s3", region_name=settings.environment.region), assets, settings.environment.kms_key_arn
    )
    arn = aws.upsert(sagemaker, settings, synthesis.definition.read_text(encoding="utf-8"))
    console.print(f"Uploaded {len(uploaded)} of {len(assets)} objects; pipeline {arn} is up to date.", highlight=False)
    return settings, sagemaker


def _run(options: argparse.Namespace) -> None:
    from model_build import aws

    settings, sagemaker = _upsert(options)
    champion = aws.champion_uri(sagemaker, settings.model_package_group)
    parameters = {"ChampionModelUri": champion} if champion else {}
    execution = aws.start(sagemaker, settings.pipeline_name, parameters)
    console.print(f"Started {execution}", highlight=False)
    if options.no_wait:
        return
    for steps in aws.watch(sagemaker, execution):
        console.print(" · ".join(f"{step.name} {step.status}" for step in steps), highlight=False)
    console.print(f"Succeeded: a new version in model package group {settings.model_package_group} waits for approval.")


def git_commit(environ: Any) -> str:
    """The commit that CodeBuild checked out, or the one that is checked out here, or "unknown"."""
    if commit := environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION"):
        return str(commit)
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
