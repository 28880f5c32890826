"""The code's update of a project that Studio made: a branch and a pull request, or a branch in a clone."""

import itertools
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rehearsal.host import Emulator
from service_catalog import code, create, names, plan, publish, upgrade
from service_catalog.aws.account import Account
from service_catalog.aws.repositories import COMMIT_BYTES, Repository, batches
from service_catalog.clones import Clone
from service_catalog.errors import InputError, ProjectError
from service_catalog.offering import Words
from service_catalog.plan import Change
from service_catalog.progress import Progress
from service_catalog.release import Source
from service_catalog.seed import Seed, pack
from service_catalog.threeway import File
from service_catalog.upgrade import Wish
from service_catalog.waiting import Site
from tests.numbers import next_account
from tests.service_catalog.accounts import Accounts, Calls, Killed, deny
from tests.service_catalog.stubs import Call, stubbed

PAUSE = 0.02
QUIET = Console(quiet=True)
_NUMBERS = itertools.count(1)
PRODUCT = "Follows its template"
LINES = "".join(f"line {number}\n" for number in range(9))
BEFORE = {"README.md": "Hello\n", "project.toml": LINES, "local/run.py": "1\n", "both.txt": "1\n", "dropped.py": "1\n"}
AFTER = {"README.md": "Hello\n", "project.toml": f"{LINES}line 9\n", "vendor/kit.whl": "2\0", "both.txt": "2\n"}


def seed_of(folder: Path, files: dict[str, str]) -> Seed:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return Seed(pack(folder, map(Path, files)), len(files), "the tests")


@dataclass(frozen=True)
class Team:
    """A project and who works in it."""

    account: Account
    accounts: Accounts
    name: str

    @classmethod
    def begin(cls, account: Account, accounts: Accounts, name: str) -> "Team":
        create.create(Site(account, PAUSE), create.Wish(name, PRODUCT, "1.0"), QUIET)
        team = cls(account, accounts, name)
        team.push({"project.toml": LINES.replace("line 0", "line zero"), "both.txt": "3\n", "ours.py": "1\n"})
        return team

    @property
    def repository(self) -> Repository:
        project = Site(self.account).studio.project(self.name)
        assert project
        return Repository(self.account.client("codecommit"), names.Project(self.name, project.id).repository)

    def push(self, files: dict[str, str]) -> None:
        """What the team commits to its own branch."""
        place = self.repository
        place.commit("main", place.head("main"), {path: File(text.encode()) for path, text in files.items()}, "Ours")

    def session(self) -> Any:
        """Another person's."""
        return self.accounts.session(self.account.id)

    def upgrade(
        self, session: Any = None, console: Console = QUIET, clone: Path | None = None, plan: bool = False
    ) -> list[Change]:
        account = Account(session, self.account.region) if session else self.account
        wish = Wish(self.name, PRODUCT, clone=clone)
        return upgrade.upgrade(Site(account, PAUSE), wish, console, lambda _: True, plan)

    @property
    def branch(self) -> str:
        """That of the newest version's seed."""
        origin = create.origin_of(Site(self.account), create.Wish(self.name, PRODUCT))
        key = next(question.default for question in origin.form.questions if question.name == "SeedKey")
        return f"template-{Path(str(key)).stem}"

    def requests(self) -> list[str]:
        """The numbers of its pull requests."""
        found = self.account.client("codecommit").list_pull_requests(repositoryName=self.repository.name)
        return list(found["pullRequestIds"])


@pytest.fixture(scope="session")
def _versions(source: Source, tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Source]:
    """Two versions whose seeds differ, and whose product is the same."""
    seeds = [seed_of(tmp_path_factory.mktemp("seed"), files) for files in (BEFORE, AFTER)]
    return replace(source, seed=seeds[0]), replace(source, seed=seeds[1])


@pytest.fixture(scope="session")
def _company(emulated: Emulator, _versions: tuple[Source, Source]) -> Account:
    """An account with two versions."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", emulated.address)
        account = Accounts(next_account, Path()).new()
        for number, source in enumerate(_versions, 1):
            publish.publish([account], source, publish.Wish(Words(PRODUCT), version=f"{number}.0", pause=PAUSE), QUIET)
        for service in ("sagemaker", "servicecatalog", "cloudformation", "codecommit", "s3"):
            account.client(service)
        return account


@pytest.fixture
def project(_company: Account, accounts: Accounts) -> Team:
    """A project of the first version, in which its team works."""
    return Team.begin(_company, accounts, f"mine-{next(_NUMBERS)}")


@pytest.fixture(scope="session")
def _begun() -> list[Team]:
    return []


@pytest.fixture
def untouched(_company: Account, accounts: Accounts, _begun: list[Team]) -> Team:
    """One for all tests that change nothing."""
    if not _begun:
        _begun.append(Team.begin(_company, accounts, "untouched"))
    return replace(_begun[0], accounts=accounts)


def content(place: Repository | Clone, branch: str) -> dict[str, str | None]:
    """What the files that take part hold on a branch."""
    head = place.head(branch)
    paths = sorted({*BEFORE, *AFTER, "ours.py", "both.txt.rej"})
    found = {path: place.read(path, head) for path in paths}
    return {path: file.content.decode() for path, file in found.items() if file}


EXPECTED = {
    "README.md": "Hello\n",
    "project.toml": LINES.replace("line 0", "line zero") + "line 9\n",
    "vendor/kit.whl": "2\0",
    "both.txt": "3\n",
    "both.txt.rej": "--- both.txt\n+++ both.txt\n@@ -1 +1 @@\n-1\n+2\n",
    "ours.py": "1\n",
}


def test_the_plan_says_what_the_pull_request_would_hold(
    untouched: Team, console: Console, printed: Callable[[], str]
) -> None:
    calls = Calls()
    lines = untouched.upgrade(calls.watch(untouched.session()), console, plan=True)
    console.file.flush()
    assert [(line.action, line.kind) for line in lines[1:]] == [("create", "pull request"), ("note", "conflict")]
    assert lines[1].detail.endswith("to main: 5 files, 1 conflict left to you")
    assert (lines[2].name, lines[2].detail) == ("both.txt", "both changed the same lines")
    assert "both.txt" in printed()
    assert calls.writes == ["CreateChangeSet", "DeleteChangeSet"]


def test_a_branch_and_a_pull_request_and_nothing_on_the_team_s_branch(project: Team) -> None:
    place = project.repository
    before = place.head("main")
    project.upgrade()
    assert place.head("main") == before
    assert content(place, project.branch) == EXPECTED
    number = place.request(project.branch)
    request = project.account.client("codecommit").get_pull_request(pullRequestId=number)["pullRequest"]
    assert request["title"] == f"Follow the template: {PRODUCT}, version 2.0"
    left = "Left to you; for a text, what the template changed is beside it as .rej:"
    assert request["description"].splitlines()[2:] == [
        *(left, "- both.txt: both changed the same lines", ""),
        *("Holds your changes and the template's:", "- project.toml", ""),
        *("Taken from the template:", "- vendor/kit.whl", f"- {code.FOLLOWED}", ""),
        *("Removed, as the template has dropped it:", "- dropped.py", "- local/run.py"),
    ]
    again = project.upgrade()[1]
    assert (again.action, again.kind) == ("keep", "code")


def test_what_was_merged_is_the_base_of_the_next_update(project: Team) -> None:
    """Merged by hand here: the repository says which seed it follows, whatever its stack began with."""
    project.upgrade()
    place = project.repository
    merged = place.read(code.FOLLOWED, place.head(project.branch))
    assert merged
    project.push({code.FOLLOWED: merged.content.decode()})
    [line] = project.upgrade()[1:]
    assert (line.action, line.detail) == ("keep", f"follows {PRODUCT}, version 2.0 already")
    assert json.loads(merged.content)["version"] == f"{PRODUCT}, version 2.0"


@pytest.mark.parametrize("call", ["CreateBranch", "CreateCommit", "CreatePullRequest"])
def test_killed_after_any_write_the_next_run_ends_it(project: Team, call: str) -> None:
    def die(model: Any, **_: Any) -> None:
        if model.name == call:
            raise Killed(call)

    session = project.session()
    session.events.register("after-call.codecommit", die)
    with pytest.raises(Killed):
        project.upgrade(session)
    project.upgrade()
    assert content(project.repository, project.branch) == EXPECTED
    assert len(project.requests()) == 1


def test_without_the_right_to_it_the_stack_is_upgraded_and_the_code_is_by_hand(untouched: Team) -> None:
    line = untouched.upgrade(deny(untouched.session(), "codecommit.GetBranch"), plan=True)[1]
    assert (line.action, line.apply) == ("note", None)
    assert line.detail == "you may not call GetBranch on its repository: name a clone"
    assert "--clone FOLDER" in line.command


def lines_for(team: Team, outputs: dict[str, str], **parameters: str) -> list[Change]:
    """What a project would be told whose stack has these parameters."""
    site = Site(team.account, PAUSE)
    project = site.studio.project(team.name)
    stack = site.stack(project) if project else None
    assert project
    assert stack
    other = replace(stack, parameters={**stack.parameters, **parameters}, outputs=outputs)
    return code.changes(site, project, other, create.origin_of(site, create.Wish(team.name, PRODUCT)), None)


def test_a_seed_that_is_gone_is_told(untouched: Team) -> None:
    [line] = lines_for(untouched, {}, SeedKey="seeds/gone.zip")
    assert line.action == "note"
    assert "seeds/gone.zip is not there: publish that version again" in line.detail


def test_a_git_host_behind_a_connection_needs_a_clone(untouched: Team) -> None:
    url = "https://git.example.com/team/mine.git"
    [line] = lines_for(untouched, {"RepositoryUrl": url}, RepositoryProvider="Connection", RepositoryId="team/mine")
    assert line.action == "note"
    assert line.command.splitlines()[0] == f"git clone {url} FOLDER"
    assert "make upgrade NAME=untouched" in line.command


# --- a clone ---------------------------------------------------------------------------------------------------------


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    command = ["git", *identity, "-C", str(folder), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def clone(untouched: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository, cloned by somebody who has changed a file since."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    place = untouched.repository
    url = place.client.get_repository(repositoryName=place.name)["repositoryMetadata"]["cloneUrlHttp"]
    folder = tmp_path / "a clone"
    address = url.replace("://", f"://{untouched.account.id}:x@")
    subprocess.run(["git", "clone", "--quiet", address, str(folder)], check=True, capture_output=True)
    (folder / "project.toml").write_text("not committed")
    return folder


def of_code(team: Team, clone: Path) -> list[Change]:
    """The lines about code, carried out; the stack is left as it is."""
    lines = team.upgrade(clone=clone, plan=True)[1:]
    plan.carry_out(lines, Progress(QUIET))
    return lines


def test_into_a_clone_goes_a_branch_and_nothing_else(untouched: Team, clone: Path) -> None:
    for _ in ("first", "again"):
        line = of_code(untouched, clone)[0]
        assert (line.action, line.kind) == ("create", "branch")
        assert content(Clone(clone), untouched.branch) == EXPECTED
    assert git(clone, "status", "--porcelain") == "M project.toml"
    assert git(clone, "rev-parse", f"{untouched.branch}^") == git(clone, "rev-parse", "origin/main")
    assert "both.txt: both changed the same lines" in git(clone, "log", "-1", "--format=%B", untouched.branch)


def test_the_commands_that_are_printed_work(untouched: Team, clone: Path) -> None:
    """Pasted into a shell; the pull request is the Git host's, which offers it after the push."""
    bare = clone.with_name("host.git")
    git(clone, "clone", "--quiet", "--bare", str(clone), str(bare))
    git(clone, "remote", "set-url", "origin", str(bare))
    command = of_code(untouched, clone)[0].command
    done = subprocess.run(command, shell=True, capture_output=True, text=True)  # noqa: S602 - as a person pastes it
    assert done.returncode == 0, done.stderr
    assert git(bare, "rev-parse", untouched.branch) == Clone(clone).head(untouched.branch)


def test_a_folder_that_is_no_clone_is_refused(untouched: Team, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--clone .*: git for-each-ref says: fatal: "):
        untouched.upgrade(clone=tmp_path, plan=True)


def test_a_branch_that_is_checked_out_is_left_alone(untouched: Team, clone: Path) -> None:
    of_code(untouched, clone)
    git(clone, "checkout", "--quiet", "--force", untouched.branch)
    with pytest.raises(InputError, match="is checked out there"):
        of_code(untouched, clone)


# --- how much one commit takes ---------------------------------------------------------------------------------------


def test_many_and_large_files_take_several_commits() -> None:
    files: dict[str, File | None] = {f"{number:03}": None for number in range(150)}
    files |= {f"large-{number}": File(b"x" * (COMMIT_BYTES // 2)) for number in range(3)}
    found = list(batches(files))
    assert [len(batch) for batch in found] == [2, 100, 51]
    assert {path: file for batch in found for path, file in batch.items()} == files
    with pytest.raises(ProjectError, match=r"name the clone with --clone FOLDER"):
        list(batches({"huge": File(b"x" * (COMMIT_BYTES + 1))}))


def test_several_commits_follow_one_another() -> None:
    files: dict[str, File | None] = {f"{number:03}": File(b"x") for number in range(101)}
    put = [{"filePath": path, "fileMode": "NORMAL", "fileContent": b"x"} for path in sorted(files)]
    common: dict[str, Any] = {"repositoryName": "r", "branchName": "next", "commitMessage": "m"}
    branch = {"repositoryName": "r", "branchName": "next"}
    missing = ("BranchDoesNotExistException", "There is none", 400)
    calls: tuple[Call, ...] = (
        ("get_branch", branch, missing),
        ("create_branch", {**branch, "commitId": "0"}, {}),
        ("create_commit", {**common, "parentCommitId": "0", "putFiles": put[:100]}, {"commitId": "1"}),
        ("create_commit", {**common, "parentCommitId": "1", "putFiles": put[100:]}, {"commitId": "2"}),
    )
    with stubbed("codecommit", *calls) as client:
        Repository(client, "r").commit("next", "0", files, "m")
