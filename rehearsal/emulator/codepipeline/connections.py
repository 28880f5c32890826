"""The source action CodeStarSourceConnection: a repository that a connection leads to."""

from rehearsal.emulator.codecommit.git import GitError
from rehearsal.emulator.codeconnections import operations, provider
from rehearsal.emulator.codepipeline.sources import describe
from rehearsal.emulator.codepipeline.work import ActionFailedError, Work
from rehearsal.emulator.githttp import RefusedError
from rehearsal.emulator.service import AwsError


def from_connection(work: Work) -> None:
    """The branch's newest commit, or the one that was pushed, as a zip archive."""
    arn, name, branch = (work.setting(key) for key in ("ConnectionArn", "FullRepositoryId", "BranchName"))
    work.require(*provider.use(arn, name, "GetBranch"))
    _require_available(arn)
    try:
        git = provider.repository(name)
        commit = git.commit(work.execution.revisions.get(work.run.action.name, f"refs/heads/{branch}"))
    except (RefusedError, GitError) as error:
        text = f"[CodeConnections] No Branch [{branch}] found for FullRepositoryName [{name}]: {error}"
        raise ActionFailedError("ConfigurationError", text) from None
    work.put(git.archive(commit.id), commit.id, commit.message.strip())
    work.run.variables = {**describe(commit, branch), "ConnectionArn": arn, "FullRepositoryName": name}
    work.run.external_id, work.run.summary = commit.id, commit.message.strip()


def _require_available(arn: str) -> None:
    try:
        status = operations.find(arn).status
    except AwsError as error:
        raise ActionFailedError("ConfigurationError", error.message) from None
    if status != operations.AVAILABLE:
        raise ActionFailedError("ConfigurationError", f"[CodeConnections] Connection {arn} is {status}, not AVAILABLE")
