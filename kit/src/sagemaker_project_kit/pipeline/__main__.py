"""python -m sagemaker_project_kit.pipeline synthesize | golden | show | upsert | run: the verbs of the build half.

`synthesize`, `golden` and `show` work offline; `upsert` and `run` talk to AWS with boto3, under the environment that
the project's stack gives to CodeBuild. `make run` runs what `synthesize` wrote on this machine.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sagemaker_project_kit import version
from sagemaker_project_kit.pipeline import freshness

if TYPE_CHECKING:
    from sagemaker_project_kit.pipeline.definition import Synthesis
    from sagemaker_project_kit.pipeline.tables import Settings

ROOT = Path.cwd()  # the project
BUILD = ROOT / "build"


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; 0 if it succeeded, 1 with one clear message if not, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        version.require_pinned(ROOT)
        verb: Callable[[argparse.Namespace], object] = options.verb
        verb(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, _expected_errors()):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sagemaker_project_kit.pipeline", description="The build half: data in, registered model out."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    synthesize = verbs.add_parser("synthesize", help="write build/definition.json and build/assets.json")
    synthesize.add_argument("--data", default="", help="a CSV file of your own instead of the project's")
    synthesize.add_argument("--target", default="", help="the column to predict")
    synthesize.add_argument("--problem", default="", help="binary, multiclass or regression")
    synthesize.set_defaults(verb=_synthesize)
    golden = verbs.add_parser("golden", help="renew the golden definition in tests/ and show what that changed")
    golden.set_defaults(verb=_golden)
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
    known = {
        "sagemaker_project_kit.version": ["KitVersionError"],
        "sagemaker_project_kit.pipeline.settings": ["SettingsError"],
        "sagemaker_project_kit.pipeline.wheels": ["WheelsError"],
        "sagemaker_project_kit.pipeline.context": ["StepOrderError"],
        "sagemaker_project_kit.pipeline.validation": ["DefinitionError"],
        "sagemaker_project_kit.pipeline.aws": ["ExecutionFailedError"],
        "botocore.exceptions": ["BotoCoreError", "ClientError"],
    }
    loaded = {name: sys.modules[name] for name in known if name in sys.modules}
    return tuple(getattr(module, error) for name, module in loaded.items() for error in known[name])


def _request(options: argparse.Namespace) -> dict[str, str]:
    """What decides about the definition besides files and environment."""
    own_file = {name: getattr(options, name, "") for name in ("data", "target", "problem")}
    return {**own_file, "commit": git_commit(os.environ)}


def _load(options: argparse.Namespace) -> "Settings":
    from sagemaker_project_kit.pipeline.settings import Override, load

    own_file = {name: getattr(options, name, "") for name in ("data", "target", "problem")}
    return load(ROOT, os.environ, Override(**own_file))


def _synthesize(options: argparse.Namespace) -> None:
    if freshness.is_fresh(ROOT, BUILD, _request(options), os.environ):
        print("Pipeline definition unchanged: build/definition.json")
        return
    state = "unchanged" if _write(options, _load(options)).reused else "written"
    print(f"Pipeline definition {state}: build/definition.json")


def _write(options: argparse.Namespace, settings: "Settings") -> "Synthesis":
    from sagemaker_project_kit.pipeline import golden
    from sagemaker_project_kit.pipeline.definition import shape, synthesize
    from sagemaker_project_kit.pipeline.settings import find_source

    request = _request(options)
    synthesis = synthesize(settings, BUILD, request["commit"], _announce_sdk)
    if not synthesis.reused and not request["data"]:
        shape(golden.neutral(settings), BUILD)  # while the SDK is there: the tests ask for it next
    source = None if settings.data.is_remote else find_source(ROOT, settings.data.source)
    freshness.remember(ROOT, BUILD, request, os.environ, source)
    return synthesis


def _golden(_: argparse.Namespace) -> None:
    from sagemaker_project_kit.pipeline import golden

    changed = golden.renew(ROOT)
    print(changed or "The golden definition is what it was.", end="" if changed else "\n")
    if changed:
        print(f"Renewed {golden.FILE}: read the change above, and commit it with what caused it.")


def _announce_sdk() -> None:
    print("Writing the pipeline definition with the SageMaker SDK (some seconds, after a change only) …", flush=True)


def _show(options: argparse.Namespace) -> None:
    from rich import print as print_richly

    from sagemaker_project_kit.pipeline import graph

    settings = _load(options)
    definition = json.loads(_write(options, settings).definition.read_text(encoding="utf-8"))
    if options.mermaid:
        print(graph.mermaid(definition), end="")
    else:
        print_richly(graph.tree(definition, settings.pipeline_name))


def _upsert(options: argparse.Namespace) -> tuple["Settings", Any]:
    """Refuse before anything is uploaded, upload before the pipeline refers to it."""
    from sagemaker_project_kit.pipeline import aws

    settings = _load(options)
    aws.require_account(settings)
    synthesis = _write(options, settings)
    import boto3

    session = boto3.Session(region_name=settings.environment.region)
    sagemaker, s3 = (session.client(service, config=aws.PATIENT) for service in ("sagemaker", "s3"))
    assets = {uri: Path(path) for uri, path in json.loads(synthesis.assets.read_text(encoding="utf-8")).items()}
    uploaded = aws.upload(s3, assets, settings.environment.kms_key_arn)
    arn = aws.upsert(sagemaker, settings, synthesis.definition.read_text(encoding="utf-8"))
    print(f"Uploaded {len(uploaded)} of {len(assets)} objects; pipeline {arn} is up to date.")
    return settings, sagemaker


def _run(options: argparse.Namespace) -> None:
    import boto3

    from sagemaker_project_kit.pipeline import aws, joblogs

    settings, sagemaker = _upsert(options)
    champion = aws.champion(sagemaker, settings.model_package_group)
    parameters = {"ChampionModelUri": champion.uri} if champion else {}
    execution = aws.start(sagemaker, settings.pipeline_name, parameters)
    print(f"Started {execution}", flush=True)
    if options.no_wait:
        return
    try:
        for steps in aws.watch(sagemaker, execution):
            print(" · ".join(f"{step.name} {step.status}" for step in steps), flush=True)
    except aws.ExecutionFailedError as error:
        logs = boto3.client("logs", region_name=settings.environment.region, config=aws.PATIENT)
        told = joblogs.explain(logs, error)
        raise (champion.explain(told) if champion else told) from None
    print(f"Succeeded: a new version in model package group {settings.model_package_group} waits for approval.")


def git_commit(environ: Mapping[str, str]) -> str:
    """The commit that CodeBuild checked out, or the one that is checked out here, or "unknown"."""
    if commit := environ.get("CODEBUILD_RESOLVED_SOURCE_VERSION"):
        return commit
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
