"""Event patterns against recorded events: each rule must match exactly the kinds of event it is meant for.

The recordings in events/ follow the samples of the SageMaker developer guide ("Events that Amazon SageMaker AI sends to
Amazon EventBridge"), of the user guides of CodeCommit, CodePipeline, CodeBuild, CloudFormation and CloudWatch (each on
its events) and of reference material; project id and names are those of stages.py, in the stage staging.
Matching: EventBridge user guide, "Comparison operators".
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.infrastructure import catalog, stages
from tests.infrastructure.cloudformation import Stack, Unresolvable

FOLDER = Path(__file__).parent / "events"
# (template, rule) → the recordings that it must match; it must match no other.
EXPECTED = {
    ("batch.yaml", "FailureRule"): {"transform-job-failed", "transform-job-stopped"},
    ("product.yaml", "ApprovalRule"): {"model-package-approved", "model-package-rejected"},
    ("product.yaml", "PushRule"): {"codecommit-push", "codecommit-branch-created"},
    ("product.yaml", "DriftRule"): {"alarm-drift"},
    ("product.yaml", "OperationsRule"): {
        *("alarm-drift", "alarm-drift-over", "alarm-of-the-endpoint"),  # an alarm that is over is news as well
        *("codepipeline-failed", "codepipeline-approval-asked", "codepipeline-approval-given"),
        *("model-package-approved", "model-package-rejected"),
    },
    ("product.yaml", "FailureRule"): {"codepipeline-failed"},
    ("product.yaml", "SeedRule"): {"stack-created", "stack-updated"},
    ("product.yaml", "SeedFailureRule"): {"seed-failed"},
    ("stage.yaml", "Alarms"): {"alarm-drift", "alarm-drift-elsewhere", "alarm-drift-over", "alarm-of-the-endpoint"}
    | {"alarm-of-another-account"},
    ("stage.yaml", "DriftAlarms"): {"alarm-drift", "alarm-drift-elsewhere"},  # of every project of production
}
# What only AWS knows, as the recordings have it.
_UNIQUE = f"{stages.PROJECT_NAME}-{stages.PROJECT_ID}"
KNOWN = {
    "<Repository.Arn>": f"arn:aws:codecommit:eu-central-1:111122223333:sagemaker-{_UNIQUE}",
    "<BuildPipeline>": f"sagemaker-{_UNIQUE}-build",
    "<DeployPipeline>": f"sagemaker-{_UNIQUE}-deploy",
    "<Seed>": f"sagemaker-{_UNIQUE}-seed",
}


@cache
def recorded() -> dict[str, dict[str, Any]]:
    """Name → event."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def findings(file: str, text: str) -> list[str]:
    """What is wrong with the rules of a template."""
    rules = {name: rule for stack in _stacks(file, text) for name, rule in stack.of_type("AWS::Events::Rule")}
    expected = {rule: kinds for (each, rule), kinds in EXPECTED.items() if each == file}
    problems = [f"{rule}: what it must match is not in EXPECTED" for rule in rules.keys() - expected.keys()]
    for rule, kinds in expected.items():
        pattern = known(rules[rule]["EventPattern"])
        found = {name for name, event in recorded().items() if matches(pattern, event)}
        if found != kinds:
            problems.append(f"{rule}: matches {sorted(found)} and must match {sorted(kinds)}")
    return problems


def _stacks(file: str, text: str) -> list[Stack]:
    """Enough scenarios to see every rule; the branch must be the recordings'."""
    if file not in catalog.SUBJECTS:
        return [stages.stack(text, "staging")]
    return [catalog.stack(file, text, {**values, **_BRANCH}) for values in catalog.SUBJECTS[file].scenarios.values()]


_BRANCH = {"BranchName": "main"}


def known(value: Any) -> Any:
    """A pattern with the recordings' names in the place of what only AWS knows."""
    if isinstance(value, dict):
        return {key: known(part) for key, part in value.items()}
    return [known(part) for part in value] if isinstance(value, list) else KNOWN.get(str(value), value)


def matches(pattern: Mapping[str, Any], event: Any) -> bool:
    """Whether an event has, for every key of the pattern, a value that one of the listed ones allows."""
    if not isinstance(event, dict):
        return False
    return all(
        any(matches(each, event) for each in allowed)
        if key == "$or"
        else matches(allowed, event.get(key))
        if isinstance(allowed, dict)
        else _any(allowed, event.get(key, _MISSING))
        for key, allowed in pattern.items()
    )


_MISSING = object()


def _any(allowed: list[Any], value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return any(_one(each, candidate) for each in allowed for candidate in values)


def _one(allowed: Any, value: Any) -> bool:
    if not isinstance(allowed, dict):
        return bool(allowed == value)
    ((operator, argument),) = allowed.items()
    if operator == "exists":
        return (value is not _MISSING) is argument
    if operator == "anything-but":
        return value is not _MISSING and value not in (argument if isinstance(argument, list) else [argument])
    if not isinstance(value, str):
        return False
    tests: dict[str, Callable[[str], object]] = {
        "prefix": value.startswith,
        "suffix": value.endswith,
        "equals-ignore-case": lambda x: value.lower() == x.lower(),
        "wildcard": lambda x: re.fullmatch(".*".join(map(re.escape, x.split("*"))), value),
    }
    if operator not in tests:
        raise Unresolvable(f"the operator {operator!r} is not known here")
    return bool(tests[operator](argument))
