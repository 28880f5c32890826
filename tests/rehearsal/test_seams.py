"""Each private part of ministack and moto that seams.py hangs on, looked at in the emulator's own environment."""

import json
import re
import subprocess

import pytest

from rehearsal import host

LOOK = """
import importlib, inspect, json, os, sys
os.environ["IOT_MTLS_ENABLED"] = "0"
found = {}
for name in json.load(sys.stdin):
    module, _, attribute = name.rpartition(":")
    value = getattr(importlib.import_module(module), attribute)
    found[name] = list(inspect.signature(value).parameters) if inspect.isfunction(value) else type(value).__name__
print(json.dumps(found))
"""
CLOUDFORMATION = "ministack.services.cloudformation"
# Function: its parameters. Anything else: its type.
SEAMS: dict[str, list[str] | str] = {
    "ministack.app:app": ["scope", "receive", "send"],
    "ministack.app:AUTH": "bool",
    "ministack.app:_parse_execute_api_url": ["host", "path"],
    "ministack.app:_handle_execute_api_request": [
        "host",
        "path",
        "method",
        "headers",
        "body",
        "query_params",
        "raw_path",
        "raw_query_string",
    ],
    "ministack.services.apigateway_v1:_rest_apis": "AccountRegionScopedDict",
    "ministack.services.apigateway_v1:_invoke_lambda_custom_v1": [
        "integration",
        "api_id",
        "stage_name",
        "stage",
        "resource",
        "request_path",
        "method",
        "headers",
        "body",
        "query_params",
        "path_params",
        "owner_account_id",
        "owner_region",
        "binary_media_types",
        "authorizer_context",
        "caller_identity",
    ],
    "ministack.services.apigateway_v1:_parse_service_integration_uri": ["uri"],
    "ministack.services.apigateway_v1:_render_request_template_v1": [
        "template",
        "body_str",
        "params_map",
        "context",
    ],
    "ministack.services.apigateway_v1:_service_integration_response": [
        "integration",
        "backend_status",
        "backend_text",
        "accept",
        "request_params",
        "context",
    ],
    "ministack.app:SERVICE_HANDLERS": "dict",
    "ministack.app:_reset_all_state": [],
    "ministack.app:_build_persistence_save_dict": [],
    "ministack.core.persistence:json": "module",
    "ministack.core.persistence:save_all": ["services"],
    "ministack.core.persistence:PERSIST_STATE": "bool",
    "ministack.core.router:SERVICE_PATTERNS": "dict",
    "ministack.core.router:extract_access_key_id": ["headers", "query_params"],
    "ministack.core.responses:get_account_id": [],
    "ministack.core.responses:get_region": [],
    "ministack.core.responses:request_scope": ["account_id", "region"],
    "ministack.services.sts:_sessions": "dict",
    "ministack.services.s3:_apply_bucket_scope": [
        "method",
        "bucket",
        "key",
        "headers",
        "query_params",
        "body",
        "internal",
    ],
    "ministack.services.s3:_error": ["code", "message", "status", "resource", "extra", "headers"],
    "ministack.services.s3:_bucket_owner_account": ["name"],
    "ministack.services.s3:_bucket_default_sse_headers": ["bucket_name"],
    "ministack.services.s3:_stored_sse_headers": ["obj"],
    "ministack.services.s3:_bucket_encryption": "AccountScopedDict",
    "ministack.services.s3:_foreign_bucket_allows": [
        "owner_account",
        "bucket_name",
        "key",
        "method",
        "query_params",
        "caller",
        "headers",
    ],
    "ministack.services.s3:_buckets": "AccountScopedDict",
    "ministack.services.sts:register_session": ["access_key", "session"],
    "ministack.services.iam:_roles": "AccountScopedDict",
    "ministack.services.scheduler:_SCHEDULE_TICK_INTERVAL": "int",
    "ministack.services.eventbridge:_SCHEDULER_TICK_INTERVAL": "int",
    "ministack.services.eventbridge:_put_events": ["data", "allow_aws_source"],
    "ministack.services.eventbridge:_invoke_target": ["target", "event", "rule", "view"],
    "ministack.services.cloudwatch:_dispatch_alarm_actions": ["alarm", "old_state", "new_state", "reason"],
    "ministack.services.tagging:resource_tags": ["arn"],
    "ministack.services.tagging:_COLLECTORS": "dict",
    "ministack.services.cloudwatch:_alarms": "AccountRegionScopedDict",
    "ministack.services.cloudwatch:_calc_stats": ["points"],
    "ministack.services.cloudwatch:_dims_key": ["dims"],
    "ministack.services.cloudwatch:_evaluate_alarm": ["alarm"],
    "ministack.services.cloudwatch:_evaluate_parent_alarms": ["child", "seen"],
    "ministack.services.cloudwatch:_metrics": "AccountRegionScopedDict",
    "ministack.services.cloudwatch:_record_history": [
        "alarm_name",
        "old_state",
        "new_state",
        "reason",
        "alarm_type",
        "reason_data",
    ],
    "ministack.services.cloudwatch:_stat_value": ["stats", "stat_name", "points"],
    "ministack.services.eventbridge:_apply_input_transformer": ["transformer", "rule", "view"],
    "ministack.services.eventbridge:_dispatch_event": ["event", "view"],
    "ministack.services.eventbridge:_matches_pattern": ["pattern_str", "event"],
    "ministack.services.eventbridge:_rules": "AccountRegionScopedDict",
    "ministack.services.eventbridge:_pattern_event_view": ["event"],
    "ministack.services.eventbridge:_put_permission": ["data"],
    "ministack.services.eventbridge:_event_bus_policies": "AccountRegionScopedDict",
    f"{CLOUDFORMATION}.provisioners:_cw_metric_alarm_record": ["name", "props"],
    f"{CLOUDFORMATION}.provisioners:_RESOURCE_HANDLERS": "dict",
    f"{CLOUDFORMATION}.provisioners:_REPLACING_PROPERTIES": "dict",
    f"{CLOUDFORMATION}.provisioners:_STACK_TAG_PROPERTY": "dict",
    f"{CLOUDFORMATION}.provisioners:_provision_resource": ["resource_type", "logical_id", "props", "stack_name"],
    f"{CLOUDFORMATION}.provisioners:_update_resource": [
        "resource_type",
        "physical_id",
        "old_props",
        "new_props",
        "stack_name",
        "logical_id",
        "old_attrs",
    ],
    f"{CLOUDFORMATION}.provisioners:_delete_resource": [
        "resource_type",
        "physical_id",
        "props",
        "stack_name",
        "logical_id",
    ],
    f"{CLOUDFORMATION}.stacks:_runs_on_worker_thread": ["resource_type"],
    f"{CLOUDFORMATION}.stacks:_add_event": [
        "stack_id",
        "stack_name",
        "logical_id",
        "resource_type",
        "status",
        "reason",
        "physical_id",
        "detailed_status",
    ],
    f"{CLOUDFORMATION}.handlers:_ACTION_HANDLERS": "dict",
    f"{CLOUDFORMATION}.handlers:_resolve_stack": ["stack_name"],
    f"{CLOUDFORMATION}.helpers:_resolve_document": ["params", "body_key", "url_key", "label"],
    f"{CLOUDFORMATION}.helpers:_error": ["code", "message", "status"],
    f"{CLOUDFORMATION}.helpers:_xml": ["status", "root_tag", "inner"],
    f"{CLOUDFORMATION}.engine:_construct_cfn_tag": ["tag_name"],
    f"{CLOUDFORMATION}.engine:_evaluate_conditions": ["template", "params"],
    f"{CLOUDFORMATION}.engine:_parse_template": ["template_body"],
    f"{CLOUDFORMATION}.engine:_validate_template_limits": ["template"],
    f"{CLOUDFORMATION}.engine:_validate_template_statics": ["template"],
    f"{CLOUDFORMATION}:_stacks": "AccountRegionScopedDict",
    "ministack.core.iam_actions:SERVICE_TO_IAM_NAMESPACE": "dict",
    "ministack.core.iam_actions:extract_iam_action": ["service", "method", "path", "headers", "body", "query_params"],
    "ministack.core.iam_actions:extract_resource_arn": [
        "service",
        "method",
        "path",
        "headers",
        "body",
        "query_params",
        "region",
        "account_id",
    ],
    "ministack.core.iam_actions:access_denied_response": [
        "service",
        "action",
        "principal_arn",
        "request_id",
        "error_code",
        "message",
        "headers",
        "resource_arn",
        "explicit_deny",
        "resource_policy_arn",
    ],
    "ministack.core.iam_evaluator:enforce": [
        "access_key_id",
        "iam_action",
        "service",
        "region",
        "resource_arn",
        "service_context",
    ],
    "ministack.core.iam_evaluator:evaluate": ["ctx", "policies", "limits"],
    "ministack.core.iam_evaluator:evaluate_trust_policy": ["trust_doc", "caller_arn", "ctx"],
    "ministack.core.iam_evaluator:request_caller_arn": ["headers", "query_params"],
    "ministack.core.iam_evaluator:resolve_credential": ["access_key_id", "account_id", "session_token"],
    "ministack.core.iam_evaluator:resolve_principal": ["access_key_id", "account_id", "credential"],
    "ministack.core.iam_evaluator:_resolve_managed_policy_document": ["policy_arn", "account_id"],
    "ministack.core.iam_evaluator:_gather_role_policies": ["role_name", "account_id"],
    "ministack.services.kms:_aliases": "AccountRegionScopedDict",
    "ministack.services.kms:_keys": "AccountRegionScopedDict",
    "ministack.services.sqs:_queues": "AccountRegionScopedDict",
    "ministack.core.iam_evaluator:_resolve_condition_key": ["key", "ctx"],
    "ministack.core.iam_evaluator:_principal_keys": ["credential"],
    "ministack.core.iam_evaluator:_resource_policy": ["service", "resource_arn"],
    "ministack.core.iam_evaluator:_POLICY_REQUIRED": "frozenset",
    "ministack.core.iam_evaluator:_first_match": ["ctx", "stmts", "effect"],
    "ministack.core.iam_evaluator:_action_matches": ["request_action", "actions", "not_actions"],
    "ministack.core.iam_evaluator:_resource_matches": ["resource_arn", "resources", "not_resources"],
    "ministack.core.iam_evaluator:_conditions_met": ["conditions", "ctx"],
    "ministack.core.iam_evaluator:fnmatch_iam": ["value", "pattern"],
    "ministack.core.iam_evaluator:parse_policy_document": ["doc"],
    "ministack.core.iam_evaluator:evaluate_resource_policy": ["doc", "ctx", "service", "named_only", "direct_only"],
    "ministack.core.iam_evaluator:combine_resource_policy": [
        "identity",
        "ctx",
        "policy",
        "owner_account",
        "required",
        "limits",
    ],
    "moto.moto_server.werkzeug_app:create_backend_app": ["service"],
    "moto.core.model_instances:reset_model_data": [],
    "moto.backends:get_backend": ["name"],
}


@pytest.fixture(scope="module")
def found() -> dict[str, list[str] | str]:
    """What the seams are in the versions that emulator.lock pins."""
    given = json.dumps(list(SEAMS))
    shown = subprocess.run([host.PYTHON, "-c", LOOK], input=given, capture_output=True, text=True, check=True)
    answer: dict[str, list[str] | str] = json.loads(shown.stdout)
    return answer


@pytest.mark.parametrize("name", SEAMS)
def test_a_seam_is_what_we_hang_on(name: str, found: dict[str, list[str] | str]) -> None:
    assert found[name] == SEAMS[name]


HANGING = {"emulator/seams.py", "emulator/evaluator.py", "emulator/patterns.py", "emulator/variables.py"}


def test_every_private_name_that_seams_use_is_looked_at() -> None:
    text = "".join((host.ROOT / "rehearsal" / name).read_text() for name in HANGING)
    modules = "app|responses|router|iam_actions|iam_evaluator|persistence|cloudwatch|eventbridge|sts|iam|tagging"
    modules += "|engine|handlers|helpers|provisioners|stacks|s3|kms|sqs"
    used = set(re.findall(rf"\b(?:{modules})\.(_[A-Za-z_]+)", text))
    known = {name.rpartition(":")[2] for name in SEAMS}
    # The event loop is there only while the emulator serves.
    assert used - known == {"_MAIN_LOOP"}


def test_only_seams_import_ministack_or_moto() -> None:
    folder = host.ROOT / "rehearsal"
    texts = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}
    importing = {name for name, text in texts.items() if "import ministack" in text or "from ministack" in text}
    importing |= {name for name, text in texts.items() if "import moto" in text or "from moto" in text}
    assert importing == HANGING
