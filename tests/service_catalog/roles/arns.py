"""What CloudFormation's Ref and Fn::GetAtt give for the resources of our templates, and the ARNs they will have.

The resolver of the template tests leaves <Name> and <Name.Attribute> where only AWS knows the value; here they become
what AWS would say. Sources: "Return values" in CloudFormation's template reference, and the ARN formats in the service
authorization reference. A type that is not here is an error: a policy must never be judged on a guess.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.infrastructure.cloudformation import Stack

_PLACEHOLDER = re.compile(r"<(\w+)(?:\.(\w+))?>")
_KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"

# Type → its ARN; {…} are properties, or region and account of the stack. What CloudFormation names itself is called as
# it would be: from the stack, the logical name and chance.
ARNS = {
    "AWS::ApiGateway::Account": "arn:aws:apigateway:{region}::/account",
    "AWS::ApiGateway::Authorizer": "arn:aws:apigateway:{region}::/restapis/a1b2c3/authorizers/d4e5f6",
    "AWS::ApiGateway::Deployment": "arn:aws:apigateway:{region}::/restapis/a1b2c3/deployments/d4e5f6",
    "AWS::ApiGateway::GatewayResponse": "arn:aws:apigateway:{region}::/restapis/a1b2c3/gatewayresponses/{ResponseType}",
    "AWS::ApiGateway::Method": "arn:aws:apigateway:{region}::/restapis/a1b2c3/resources/d4e5f6/methods/{HttpMethod}",
    "AWS::ApiGateway::Model": "arn:aws:apigateway:{region}::/restapis/a1b2c3/models/{Name}",
    "AWS::ApiGateway::RequestValidator": "arn:aws:apigateway:{region}::/restapis/a1b2c3/requestvalidators/d4e5f6",
    "AWS::ApiGateway::Resource": "arn:aws:apigateway:{region}::/restapis/a1b2c3/resources/d4e5f6",
    "AWS::ApiGateway::RestApi": "arn:aws:apigateway:{region}::/restapis/a1b2c3",
    "AWS::ApiGateway::Stage": "arn:aws:apigateway:{region}::/restapis/a1b2c3/stages/{StageName}",
    "AWS::ApplicationAutoScaling::ScalableTarget": "arn:aws:application-autoscaling:{region}:{account}:"
    "scalable-target/0ec51a2b3c4d",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "arn:aws:application-autoscaling:{region}:{account}:"
    "scalable-target/0ec51a2b3c4d",
    "AWS::Budgets::Budget": "arn:aws:budgets::{account}:budget/{Budget[BudgetName]}",
    "AWS::CloudFormation::WaitConditionHandle": "",
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}",
    "AWS::CloudWatch::CompositeAlarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}",
    "AWS::CloudWatch::Dashboard": "arn:aws:cloudwatch::{account}:dashboard/{DashboardName}",
    "AWS::CodeBuild::Project": "arn:aws:codebuild:{region}:{account}:project/{Name}",
    "AWS::CodeBuild::ReportGroup": "arn:aws:codebuild:{region}:{account}:report-group/{Name}",
    "AWS::CodeCommit::Repository": "arn:aws:codecommit:{region}:{account}:{RepositoryName}",
    "AWS::CodePipeline::Pipeline": "arn:aws:codepipeline:{region}:{account}:{Name}",
    "AWS::Events::EventBusPolicy": "arn:aws:events:{region}:{account}:event-bus/default",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{Name}",
    "AWS::IAM::ManagedPolicy": "arn:aws:iam::{account}:policy{Path}{ManagedPolicyName}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role{Path}{RoleName}",
    "AWS::KMS::Alias": "arn:aws:kms:{region}:{account}:{AliasName}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/" + _KEY_ID,
    "AWS::Lambda::EventInvokeConfig": "arn:aws:lambda:{region}:{account}:function:{FunctionName}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{FunctionName}",
    "AWS::Lambda::Permission": "arn:aws:lambda:{region}:{account}:function:{FunctionName}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{LogGroupName}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{BucketName}",
    "AWS::S3::BucketPolicy": "arn:aws:s3:::{Bucket}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{TopicName}",
    "AWS::SNS::TopicPolicy": "{Topics[0]}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{QueueName}",
    "AWS::SQS::QueuePolicy": "arn:aws:sqs:{region}:{account}:{Queues[0]}",
    "AWS::SSM::Parameter": "arn:aws:ssm:{region}:{account}:parameter{Name}",
    "AWS::SageMaker::CodeRepository": "arn:aws:sagemaker:{region}:{account}:code-repository/{Named}",
    "AWS::SageMaker::Endpoint": "arn:aws:sagemaker:{region}:{account}:endpoint/{EndpointName}",
    "AWS::SageMaker::EndpointConfig": "arn:aws:sagemaker:{region}:{account}:endpoint-config/{Named}",
    "AWS::SageMaker::Model": "arn:aws:sagemaker:{region}:{account}:model/{Named}",
    "AWS::SageMaker::ModelPackageGroup": "arn:aws:sagemaker:{region}:{account}:model-package-group/"
    "{ModelPackageGroupName}",
    "AWS::Scheduler::Schedule": "arn:aws:scheduler:{region}:{account}:schedule/{GroupName}/{Name}",
    "AWS::Scheduler::ScheduleGroup": "arn:aws:scheduler:{region}:{account}:schedule-group/{Name}",
    "AWS::ServiceCatalog::Portfolio": "arn:aws:catalog:{region}:{account}:portfolio/port-1a2b3c4d5e6f7",
    "AWS::ServiceCatalog::PortfolioPrincipalAssociation": "",
    "AWS::ServiceCatalog::TagOption": "",
    "AWS::ServiceCatalog::TagOptionAssociation": "",
}
# Types whose Ref is the ARN; that of any other is the last part of it.
_REF_IS_ARN = {"AWS::SNS::Topic", "AWS::CodeBuild::ReportGroup", "AWS::IAM::ManagedPolicy"}
_REF_IS_ARN |= {"AWS::SageMaker::Endpoint", "AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"}
# What CloudFormation names if the template does not: type → property. A queue has 80 characters, so the stack's name is
# cut; where exactly is not documented.
_NAMED = {
    "AWS::Logs::LogGroup": ("LogGroupName", 512),
    "AWS::SQS::Queue": ("QueueName", 80),
    "AWS::SageMaker::CodeRepository": ("Named", 63),
    "AWS::SageMaker::Model": ("Named", 63),
    "AWS::SageMaker::EndpointConfig": ("Named", 63),
}
_CHANCE = "AbCdEfGhIjKl"


class Placed:
    """A resolved stack in an account, every placeholder replaced."""

    def __init__(self, stack: Stack, account: str, name: str, region: str = "eu-central-1") -> None:
        self.account, self.region, self.name = account, region, name
        self.document = stack.document
        self._resources = stack.resources
        self.resources: dict[str, dict[str, Any]] = {
            name: {**body, "Properties": self._filled(body.get("Properties", {}))}
            for name, body in self._resources.items()
        }

    def arn(self, name: str) -> str:
        """The ARN that a resource will have; empty for what has none."""
        body = self._resources[name]
        properties = {"Path": "/", "GroupName": "default", **self._named(name, body), **body.get("Properties", {})}
        facts = {"account": self.account, "region": self.region}
        return str(self._filled(ARNS[body["Type"]].format(**{**properties, **facts})))

    def of_type(self, *types: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Logical name and properties of the resources of some types."""
        for name, body in self.resources.items():
            if body["Type"] in types:
                yield name, body["Properties"]

    def _named(self, name: str, body: Mapping[str, Any]) -> dict[str, str]:
        key, longest = _NAMED.get(body["Type"], ("", 0))
        own = f"{name}-{_CHANCE}"
        return {key: f"{self.name[: longest - len(own) - 1]}-{own}"} if key else {}

    def _filled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._filled(part) for part in value]
        if isinstance(value, dict):
            return {key: self._filled(part) for key, part in value.items()}
        return _PLACEHOLDER.sub(self._found, value) if isinstance(value, str) else value

    def _found(self, match: re.Match[str]) -> str:
        name, attribute = match[1], match[2]
        if name not in self._resources:
            return match[0]
        if attribute == "Value":
            return str(self._filled(self._resources[name]["Properties"]["Value"]))
        arn = self.arn(name)
        is_arn = attribute == "Arn" or (attribute is None and self._resources[name]["Type"] in _REF_IS_ARN)
        return arn if is_arn else re.split(r"[:/]", arn.removesuffix(":*"))[-1]
