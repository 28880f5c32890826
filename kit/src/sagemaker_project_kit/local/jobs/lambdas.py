"""Lambda steps: a Python function that stands for the Lambda function, named by --lambda NAME=module:function.

It is called in a process of its own (so that it can be stopped and its output logged) with the step's arguments as the
event and no context. Its module is found from the project's folder.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sagemaker_project_kit.local.errors import LocalError, StepFailed
from sagemaker_project_kit.local.jobs.job import Job, Properties, failure_reason
from sagemaker_project_kit.local.jobs.processes import Command
from sagemaker_project_kit.local.jobs.sandbox import inherited_environment
from sagemaker_project_kit.local.state.atomic import token

_PROGRAM = Path(__file__).with_name("invoke.py")


def parse(entries: list[str]) -> dict[str, str]:
    """{"name": "module:function"} from NAME=module:function entries. Raises LocalError for another form."""
    mapping: dict[str, str] = {}
    for entry in entries:
        name, _, handler = entry.partition("=")
        if not name or not all(part for part in (handler.partition(":")[0], handler.partition(":")[2])):
            raise LocalError(f"--lambda {entry!r} must have the form NAME=module:function.")
        mapping[name] = handler
    return mapping


def function_name(arn: str) -> str:
    """The name in arn:…:function:NAME[:alias], or the text itself."""
    _, found, rest = arn.partition(":function:")
    return rest.partition(":")[0] if found else arn


def run(job: Job) -> Properties:
    """Run a Lambda step. Raises StepFailed if no function stands for it, it fails, or it leaves an output out."""
    name = function_name(str(job.step.get("FunctionArn", "")))
    if name not in job.runtime.lambdas:
        raise StepFailed(f"no function stands for the Lambda {name!r}: give --lambda {name}=module:function")
    folder = job.runtime.work / f"lambda-{token()}"
    folder.mkdir()
    try:
        response = _invoke(job, folder, job.runtime.lambdas[name])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {"OutputParameters": _declared(job.step.get("OutputParameters") or [], response)}


def _invoke(job: Job, folder: Path, handler: str) -> Any:
    event, result = folder / "event.json", folder / "result.json"
    event.write_text(json.dumps(job.arguments), encoding="utf-8")
    argv = [sys.executable, "-P", str(_PROGRAM), handler, str(event), str(result)]
    code = job.runtime.children.run(Command(argv, inherited_environment(), job.runtime.project, job.log))
    if code:
        raise StepFailed(failure_reason(code, "", job.log))
    return json.loads(result.read_text(encoding="utf-8"))


def _declared(outputs: list[Mapping[str, str]], response: Any) -> dict[str, Any]:
    names = [entry["OutputName"] for entry in outputs]
    missing = [name for name in names if not isinstance(response, dict) or name not in response]
    if missing:
        raise StepFailed(f"the function's response lacks the output parameters {', '.join(missing)}")
    return {name: response[name] for name in names}
