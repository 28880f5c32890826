"""A template with a transform is a call to a macro, which IAM is asked about, for the macros that AWS hosts as well.

"To allow AWS::Serverless transforms to create a change set, the policy should include the
arn:aws:cloudformation:<region>:aws:transform/Serverless-2016-10-31 resource-level permission" (CloudFormation user
guide, "Control access with IAM"). It is asked of whoever the stack is made as, by CreateStack as well as by change
sets, and for AWS::LanguageExtensions too (aws-cloudformation/aws-cloudformation-templates issue 358; the policies of
aws-solutions-library-samples/data-lakes-on-aws).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from . import seams
from .clients import role_of
from .permissions import PermissionMissingError, require
from .provisioning import CLOUDFORMATION
from .service import account, caller, region

ACTION = "cloudformation:CreateChangeSet"


def macros(template: Any) -> Iterator[str]:
    """The names of the macros that a template calls: those of its own Transform, and of every Fn::Transform in it."""
    if isinstance(template, dict):
        called = template.get("Transform") or []
        yield from (name for name in ([called] if isinstance(called, str) else called) if isinstance(name, str))
        if isinstance(inner := template.get("Fn::Transform"), dict):
            yield str(inner.get("Name", ""))
    for part in _parts(template):
        yield from macros(part)


def _parts(value: Any) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _arn(macro: str) -> str:
    owner, name = ("aws", macro.removeprefix("AWS::")) if macro.startswith("AWS::") else (account(), macro)
    return f"arn:aws:cloudformation:{region()}:{owner}:transform/{name}"


def _refusal(template: Mapping[str, Any], service_role: str) -> str | None:
    """Why the stack's role, or the caller where it has none, may not call a macro of the template."""
    role = service_role or role_of(caller())
    if not role or not seams.enforced():
        return None
    try:
        for macro in dict.fromkeys(macros(template)):
            require(role, ACTION, _arn(macro), {}, CLOUDFORMATION if service_role else None)
    except PermissionMissingError as error:
        return str(error)
    return None


seams.before_stack(_refusal)
