"""Answers to the form that cannot be: said to be so before anything is made, by the command line as by Studio."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from rehearsal.faults.fault import PATIENCE, fault
from rehearsal.faults.refusing import made, refuses
from rehearsal.story import channels, creating, releasing
from rehearsal.story.world import PROD, STAGING, World, expect

# Characters that AWS takes, by its API references; those of S3, IAM, SageMaker and SQS are the tightest.
LIMITS = {
    "AWS::CodeBuild::Project": 150,
    "AWS::CodeCommit::Repository": 100,
    "AWS::CodePipeline::Pipeline": 100,
    "AWS::Events::Rule": 64,
    "AWS::IAM::Role": 64,
    "AWS::Lambda::Function": 64,
    "AWS::Logs::LogGroup": 512,
    "AWS::S3::Bucket": 63,
    "AWS::SNS::Topic": 256,
    "AWS::SQS::Queue": 80,
    "AWS::SageMaker::Endpoint": 63,
    "AWS::SageMaker::ModelPackageGroup": 63,
}
_VPC = ("--parameter", "VpcId=vpc-0123456789abcdef0")
_SUBNETS = ("--parameter", "SubnetIds=subnet-0123456789abcdef0,subnet-0123456789abcdef1")
_CONNECTION = "arn:{}:codeconnections:us-east-1:111111111111:connection/8ad5a1f4-8a7b-4f0e-9c3c-1b2a3c4d5e6f"


@fault("published", series="answers")
def name_of_33_characters(world: World) -> None:
    """A project's name of 33 characters is refused."""
    refuses(world, "create", "x" * 33, says=["33 characters", "at most 32"])
    before = made(world)
    try:
        world.client("sagemaker", "scientist").create_project(
            ProjectName="x" * 33,
            ServiceCatalogProvisioningDetails={"ProductId": channels.offered_product(world)},
        )
    except ClientError as error:
        expect("32" in str(error), "SageMaker to name the limit", error)
    expect(made(world) == before, "no project", made(world))


@fault("published", series="answers")
def name_with_odd_characters(world: World) -> None:
    """Names with a leading dash, an emoji or a space are refused."""
    for name in ("-churn", "churn🙂", "my churn"):
        refuses(world, "create", "--", name, says=["is no name for a project", "letters a-z, digits and dashes"])


@fault("published", series="answers")
def production_in_the_account_of_staging(world: World) -> None:
    """One account for staging and production is refused when both are named."""
    both = ("--parameter", f"StagingAccountId={STAGING}", "--parameter", f"ProdAccountId={STAGING}")
    refuses(world, "create", "churn", *both, says=["ProdAccountId must be another account than StagingAccountId"])
    offered = ("--parameter", f"StagingAccountId={PROD}")  # the product's default for production
    refuses(world, "create", "churn", *offered, says=["ProdAccountId must be another account than StagingAccountId"])


@fault("published", series="answers")
def half_a_network(world: World) -> None:
    """A network without subnets, subnets with a space, or without security groups, are refused."""
    spaced = ("--parameter", "SubnetIds=subnet-0123456789abcdef0, subnet-1")
    refuses(world, "create", "churn", *_VPC, *spaced, says=["SubnetIds='subnet-"])
    refuses(world, "create", "churn", *_VPC, *_SUBNETS, says=["SecurityGroupIds must be given together"])
    refuses(world, "create", "churn", *_VPC, says=["VpcId, SubnetIds and SecurityGroupIds must be given together"])


@fault("published", series="answers")
def arn_of_another_partition(world: World) -> None:
    """A connection of China or GovCloud is refused in an account that is of neither."""
    for partition in ("aws-cn", "aws-us-gov"):
        refuses(
            world,
            *("create", "churn", "--parameter", "RepositoryProvider=Connection"),
            *(
                "--parameter",
                f"ConnectionArn={_CONNECTION.format(partition)}",
                "--parameter",
                "RepositoryId=owner/churn",
            ),
            says=["ConnectionArn", f"partition '{partition}'", "arn:aws:"],
        )


@fault("published", series="answers")
def schedule_of_unix(world: World) -> None:
    """A schedule as cron knows it, not AWS, is refused."""
    for schedule in ("0 3 * * *", "rate(1 minute)"):
        refuses(
            world, "create", "churn", "--parameter", f"RetrainSchedule={schedule}", says=["RetrainSchedule='.*must be"]
        )


@fault("published")
def names_at_their_limits(world: World) -> None:
    """A name of 32 and an id of 20 characters, the longest there are: all that is made has a name that AWS takes"""
    catalog = world.client("servicecatalog")
    product = channels.offered_product(world)
    name, identifier = "N" * 16 + "n" * 16, "p-" + "0" * 18
    given = {"SageMakerProjectName": name, "SageMakerProjectId": identifier, **creating.answers(world)}
    catalog.provision_product(
        ProductId=product,
        ProvisioningArtifactId=channels.offered_versions(world)[0]["Id"],
        PathId=catalog.list_launch_paths(ProductId=product)["LaunchPathSummaries"][0]["Id"],
        ProvisionedProductName="at-its-limits",
        ProvisioningParameters=[{"Key": key, "Value": value} for key, value in given.items()],
        Tags=[{"Key": "sagemaker:project-name", "Value": name}, {"Key": "sagemaker:project-id", "Value": identifier}],
    )
    record = world.wait(lambda: _ended(world), "the product to be provisioned", PATIENCE, world.logs / "log")
    expect(record["Status"] == "SUCCEEDED", "the project to be made", record.get("RecordErrors"), world.logs / "log")
    world.project.name, world.project.id = name, identifier
    names = dict(_names(world))
    expect(set(LIMITS) <= set(names), "something of every kind", sorted(set(LIMITS) - set(names)))
    long = {kind: found for kind, found in names.items() if len(found) > LIMITS.get(kind, 1024)}
    expect(not long, "names within AWS's limits", long)
    longest = max(names.values(), key=len)
    world.say(f"{len(names)} kinds of names, the longest {longest} ({len(longest)} characters)")


def _ended(world: World) -> dict[str, Any] | None:
    (record,) = world.client("servicecatalog").list_record_history()["RecordDetails"]
    return record if record["Status"] in ("SUCCEEDED", "FAILED") else None


def _names(world: World) -> Iterator[tuple[str, str]]:
    """Kind and name of what the stack made, and of what the pipelines will make; of each kind the longest."""
    formation = world.client("cloudformation")
    stack = next(each for each in formation.describe_stacks()["Stacks"] if each["StackName"].startswith("SC-"))
    made = formation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
    found = [(each["ResourceType"], _name(each["PhysicalResourceId"])) for each in made]
    found += [("AWS::SageMaker::Endpoint", world.project.endpoint(stage)) for stage in releasing.STAGES]
    yield from sorted(found, key=lambda each: len(each[1]))


def _name(physical_id: str) -> str:
    """The name within an ARN or a URL."""
    last = physical_id.rpartition(":")[2] if physical_id.startswith("arn:") else physical_id
    return last if last.startswith("/") else last.rpartition("/")[2]
