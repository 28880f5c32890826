"""An emulator that is killed and started again goes on where it was: builds, approvals, queues."""

import contextlib
import threading
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from kit.tests.waiting import until
from rehearsal import host
from rehearsal.faults import edge
from tests.numbers import next_account
from tests.rehearsal.conftest import Account
from tests.rehearsal.engines import saved
from tests.rehearsal.test_codepipeline import Delivery, approval, build, stage
from tests.rehearsal.test_projects import settled
from tests.rehearsal.test_service_catalog import Catalog

NUMBER = next_account()
# It ends only once somebody says so, with a file outside of the build.
WAIT = 'version: 0.2\nphases: {build: {commands: ["until test -f $SIGNAL; do sleep 0.05; done"]}}\n'


def test_an_approval_outlives_the_emulator(state: Path) -> None:
    with host.emulator(state) as running:
        delivery = Delivery(Account(running, NUMBER))
        pipeline = delivery.create(stage("Approve", approval()), stage("Last", approval("End")))
        token = delivery.token(pipeline, "Approve")
        place = {"pipelineName": pipeline, "stageName": "Last", "transitionType": "Inbound"}
        delivery.client.disable_stage_transition(**place, reason="holiday")
        until(lambda: saved(state, token) and saved(state, "holiday"))
        running.kill()
    with host.emulator(state) as again:
        client = Account(again, NUMBER).client("codepipeline")
        assert (
            client.list_action_executions(pipelineName=pipeline)["actionExecutionDetails"][0]["actionName"] == "Approve"
        )
        result = {"summary": "", "status": "Approved"}
        until(lambda: _state(client, pipeline, 1).get("status") == "InProgress")
        client.put_approval_result(
            pipelineName=pipeline, stageName="Approve", actionName="Approve", result=result, token=token
        )
        until(lambda: client.get_pipeline_state(name=pipeline)["stageStates"][2].get("inboundExecution"))
        client.enable_stage_transition(**place)
        until(lambda: _state(client, pipeline, 2).get("token"))


def _state(client: Any, pipeline: str, number: int) -> dict[str, Any]:
    found: dict[str, Any] = client.get_pipeline_state(name=pipeline)["stageStates"][number]["actionStates"][0]
    latest: dict[str, Any] = found.get("latestExecution", {})
    return latest


def test_a_build_that_was_cut_off_runs_again_for_its_pipeline(state: Path, tmp_path: Path) -> None:
    signal = tmp_path / "signal"
    with host.emulator(state) as running:
        delivery = Delivery(Account(running, NUMBER))
        project = delivery.project("waiting", WAIT)
        pipeline = delivery.create(stage("Build", build("Build", project, {"SIGNAL": str(signal)})))
        identifier = str(until(lambda: delivery.action(pipeline, "Build").get("externalExecutionId")))
        until(lambda: saved(state, identifier))
        running.kill()
    with host.emulator(state) as again:
        account = Account(again, NUMBER)
        signal.touch()
        client = account.client("codepipeline")
        status = until(lambda: _ended(client, pipeline))
        assert status == "Succeeded"
        assert account.client("codebuild").list_builds()["ids"] == [identifier]


def _ended(client: Any, pipeline: str) -> str:
    status: str = client.list_pipeline_executions(pipelineName=pipeline)["pipelineExecutionSummaries"][0]["status"]
    return "" if status == "InProgress" else status


def test_a_project_that_nothing_was_asked_for_yet_has_failed_and_can_be_deleted(state: Path) -> None:
    with host.emulator(state) as running:
        catalog = Catalog(Account(running, NUMBER))
        details = {"ProductId": catalog.product_id, "ProvisioningArtifactId": catalog.version}
        with edge.calls(running, {"operation": "ProvisionProduct", "hold": "lost"}):
            request = {"ProjectName": "interrupted", "ServiceCatalogProvisioningDetails": details}
            asking = threading.Thread(target=_ask, args=[Account(running, NUMBER), request])
            asking.start()
            until(lambda: edge.held(running, "ProvisionProduct") and saved(state, "interrupted"))
            running.kill()
        asking.join()
    with host.emulator(state) as again:
        account = Account(again, NUMBER)
        assert settled(account, "interrupted")["ProjectStatus"] == "CreateFailed"
        account.client("sagemaker").delete_project(ProjectName="interrupted")
        assert settled(account, "interrupted") == {}


def _ask(account: Account, request: dict[str, Any]) -> None:
    with contextlib.suppress(BotoCoreError):  # the emulator ends before it answers
        account.client("sagemaker").create_project(**request)


def test_a_product_whose_stack_was_never_made_has_failed(state: Path) -> None:
    with host.emulator(state) as running:
        catalog = Catalog(Account(running, NUMBER))
        with edge.calls(running, {"operation": "CreateStack", "hold": "lost"}):
            made = catalog.api.provision_product(
                ProductId=catalog.product_id,
                ProvisioningArtifactId=catalog.version,
                ProvisionedProductName="mine",
                ProvisioningParameters=[{"Key": "Name", "Value": "mine"}],
                ProvisionToken="mine",
            )
            record = made["RecordDetail"]["RecordId"]
            until(lambda: edge.held(running, "CreateStack") and saved(state, record))
            running.kill()
    with host.emulator(state) as again:
        client = Account(again, NUMBER).client("servicecatalog")
        found = until(lambda: _settled_record(client, record))
        assert found["Status"] == "FAILED"


def _settled_record(client: Any, record: str) -> dict[str, Any]:
    found: dict[str, Any] = client.describe_record(Id=record)["RecordDetail"]
    return found if found["Status"] in ("SUCCEEDED", "FAILED") else {}
