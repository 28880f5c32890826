"""Pushes that start pipelines: the triggers of V2 pipelines on branches, tags and file paths behind a connection.

Where a source action has no trigger, DetectChanges says whether every push to its branch starts the pipeline.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rehearsal.emulator import seams
from rehearsal.emulator.codeconnections import provider
from rehearsal.emulator.codepipeline import declaration, engine
from rehearsal.emulator.codepipeline.declaration import Action, Pipeline
from rehearsal.emulator.codepipeline.operations import pipelines
from rehearsal.emulator.codepipeline.patterns import starts

Document = dict[str, Any]
CONNECTION = "CodeStarSourceConnection"


def _of(pipeline: Pipeline, action: Action, reference: str, paths: Sequence[str]) -> bool:
    """Whether a push to the repository of a source action starts the pipeline."""
    own = [trigger["gitConfiguration"] for trigger in pipeline.triggers
           if trigger["gitConfiguration"]["sourceActionName"] == action.name]  # fmt: skip
    if own:
        return any(starts(push, reference, paths) for trigger in own for push in trigger.get("push") or [{}])
    detects = action.configuration.get("DetectChanges", "true").lower() != "false"
    return detects and reference == f"refs/heads/{action.configuration.get('BranchName')}"


def _sources(pipeline: Pipeline, repository: str) -> Iterator[Action]:
    for action in pipeline.stages[0].actions:
        if action.provider == CONNECTION and action.configuration.get("FullRepositoryId") == repository:
            yield action


def pushed(repository: str, reference: str, before: str, after: str) -> None:
    """Start the pipelines that a push concerns, in every account and region."""
    if not after:
        return
    git = provider.repository(repository)
    paths = [change.path for change in git.changes(before, after)]
    for account, region, _, record in pipelines.everywhere():
        pipeline = declaration.parse(record["pipeline"])
        for action in _sources(pipeline, repository):
            if _of(pipeline, action, reference, paths):
                with seams.scope(account, region):
                    _start(pipeline, record["pipeline"]["version"], action, reference, after)


def _start(pipeline: Pipeline, version: int, action: Action, reference: str, commit: str) -> None:
    detail = {"connectionArn": action.configuration["ConnectionArn"], "reference": reference, "commitId": commit}
    trigger = {"triggerType": "WebhookV2", "triggerDetail": json.dumps(detail)}
    engine.start(pipeline, version, trigger, revisions={action.name: commit})


provider.on_push(pushed)
