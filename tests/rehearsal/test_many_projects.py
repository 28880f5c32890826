"""Many projects of the real product in one account: at once, with names of every form, twenty in a row, a name twice.

companies.py says how they are made and deleted.
"""

from collections.abc import Iterator

import pytest

from kit.tests.waiting import until
from rehearsal.__main__ import parse
from service_catalog import names
from tests.rehearsal.companies import HALVES, NUMBER, REGION, Company, running_company
from tests.rehearsal.conftest import NAMES
from tests.rehearsal.engines import commit
from tests.rehearsal.test_packages import SPECIFICATION

# Whether AWS takes two names that differ only in case is not documented; endpoints' names may not.
PAIR = ("Churn", "churn", "Churn-p")
ODD = (NAMES["medium"], "0")
LONGEST_ID = 20
MANY = 20
# What stays of a project is what its template keeps.
KEPT = {"bucket", "repository", "models", "key", "logs"}
# service and list in the answer → how long a name may be there (API references of the services)
LIMITS = {
    **{"Buckets": 63, "Endpoints": 63, "ModelPackageGroupSummaryList": 63, "Roles": 64, "Rules": 64, "Functions": 64},
    **{"QueueUrls": 80, "pipelines": 100, "repositories": 100, "StackSummaries": 128, "projects": 150},
    **{"MetricAlarms": 255, "Aliases": 256, "Topics": 256, "logGroups": 512, "Parameters": 1011},
    **{"CodeRepositorySummaryList": 63, "ProjectSummaryList": 20, "ProvisionedProducts": 128, "reportGroups": 128},
}


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """An account where the product is published."""
    with running_company(tmp_path_factory.mktemp("company"), {"README.md": "A seed of the tests"}) as company:
        yield company


@pytest.fixture(scope="module")
def pair(company: Company) -> list[names.Project]:
    """Projects made at once whose first executions have ended."""
    made = company.make_at_once(*PAIR)
    assert [project.name for project in made] == list(PAIR)
    until(lambda: company.is_quiet(*made))
    return made


def started(company: Company, projects: list[names.Project]) -> dict[tuple[str, str], int]:
    """How many executions each pipeline has had."""
    return {(project.name, half): len(company.runs(project, half)) for project in projects for half in HALVES}


def only_one_more(
    company: Company, projects: list[names.Project], before: dict[tuple[str, str], int]
) -> tuple[str, str]:
    """The one pipeline that has started since; the others had the time that it took to end."""
    until(lambda: started(company, projects) != before)
    until(lambda: company.is_quiet(*projects))
    after = started(company, projects)
    (only,) = [key for key in after if after[key] != before[key]]
    assert after[only] == before[only] + 1
    return only


# --- two at once -----------------------------------------------------------------------------------------------------


def test_projects_made_at_once_share_no_name_even_without_regard_to_case(
    company: Company, pair: list[names.Project]
) -> None:
    held = [{(kind, name.lower()) for kind, name in company.of(project)} for project in pair]
    assert [len(found) for found in held] == [len(held[0])] * len(pair)
    assert set.intersection(*held) == set()
    assert len(held[0]) > 25


@pytest.mark.parametrize(("path", "half"), [("model_build/x.py", "build"), ("model_deploy/x.yaml", "deploy")])
def test_a_push_starts_one_pipeline_of_its_own_project(
    company: Company, pair: list[names.Project], path: str, half: str
) -> None:
    before = started(company, pair)
    commit(company.account, pair[1].repository, {path: "x"})
    assert only_one_more(company, pair, before) == (pair[1].name, half)


def test_an_approval_releases_the_model_of_its_own_project(company: Company, pair: list[names.Project]) -> None:
    sagemaker = company.account.client("sagemaker")
    arns = [
        sagemaker.create_model_package(
            ModelPackageGroupName=project.group,
            InferenceSpecification=SPECIFICATION,
            ModelApprovalStatus="PendingManualApproval",
        )["ModelPackageArn"]
        for project in pair
    ]
    before = started(company, pair)
    sagemaker.update_model_package(ModelPackageArn=arns[0], ModelApprovalStatus="Approved")
    assert only_one_more(company, pair, before) == (pair[0].name, "deploy")
    run = company.runs(pair[0], "deploy")[-1]["pipelineExecutionId"]
    found = company.account.client("codepipeline").get_pipeline_execution(
        pipelineName=pair[0].pipelines[1], pipelineExecutionId=run
    )["pipelineExecution"]["variables"]
    assert {item["name"]: item["resolvedValue"] for item in found}["MODEL_PACKAGE_ARN"] == arns[0]


def test_deleting_one_leaves_the_others_whole(company: Company) -> None:
    """Projects of its own, called like the others."""
    doomed, *others = made = company.make_at_once(*(f"2{name}" for name in PAIR))
    until(lambda: company.is_quiet(*made))
    denied = company.account.emulator.admin("denials")
    held = [company.of(project) for project in others]
    company.end(doomed.name)
    assert [company.of(project) for project in others] == held
    before = started(company, others)
    commit(company.account, others[0].repository, {"data/x.csv": "1"})
    assert only_one_more(company, others, before) == (others[0].name, "build")
    assert company.account.emulator.admin("denials") == denied


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x" * 33, "a_b", "", "-a", "a-"])
def test_a_name_that_sagemaker_would_refuse_is_refused_before_anything_starts(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([f"--name={name}"])
    assert "1 to 32 letters, digits and inner dashes" in capsys.readouterr().err


def test_names_at_the_limits_are_taken_everywhere(company: Company) -> None:
    for project in company.make_at_once(*ODD):
        held = company.of(project)
        longer = LONGEST_ID - len(project.id)
        assert {(kind, name) for kind, name in held if len(name) + longer > LIMITS[kind]} == set()
        assert {name for kind, name in held if kind == "Buckets"} == {project.bucket(NUMBER, REGION)}
        assert project.bucket(NUMBER, REGION).islower()
        assert all(len(project.endpoint(stage)) + longer <= LIMITS["Endpoints"] for stage in names.STAGES)
        company.end(project.name)
    assert company.account.emulator.admin("denials") == []


# --- one after another -----------------------------------------------------------------------------------------------


@pytest.mark.story
def test_twenty_in_a_row_leave_what_the_plan_said_and_a_name_can_be_used_again(company: Company) -> None:
    begun, ids = company.inventory(), set()
    for number in range(MANY):
        project = company.make("Customer-Churn" if number in (0, MANY - 1) else f"Project-{number}")
        ids.add(project.id)
        done = company.end(project.name)
        assert {change.kind for change in done if change.action == "keep"} == KEPT
        assert [change.name for change in done if change.action == "note"] == []
    assert len(ids) == MANY
    left = company.inventory() - begun
    assert {kind for kind, _ in left} == {"Buckets", "repositories", "ModelPackageGroupSummaryList", "logGroups"}
    assert {id_ for id_ in ids for _, name in left if id_ in name} == ids
    assert len(left) == MANY * len([name for _, name in left if project.id in name])
    assert company.account.emulator.admin("denials") == []
