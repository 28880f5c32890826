"""The platform engineer upgrades the project, and at last deletes it."""

from collections.abc import Iterator

from rehearsal.story import pipelines, programs, publishing
from rehearsal.story.world import World, expect

CHANGE = ("      MemorySize: 128\n", "      MemorySize: 192\n")  # of the function that starts the pipelines


def upgrade(world: World) -> None:
    """Upgrade the project to the product's next version: its stack changes, and nothing starts."""
    before = {half: pipelines.known(world, half) for half in ("build", "deploy")}
    folder = publishing.repository(world)
    template = folder / "service_catalog" / "product.yaml"
    text = template.read_text(encoding="utf-8")
    expect(text.count(CHANGE[0]) == 1, f"one function with {CHANGE[0].strip()}", text.count(CHANGE[0]), template)
    template.write_text(text.replace(*CHANGE), encoding="utf-8")
    publishing.commit(folder, "Give the dispatcher more memory")
    programs.catalog(world, "publish", *publishing.arguments(world))
    newest = publishing.offered_versions(world)[0]["Name"]
    expect(newest != world.facts.template_version, "a new version to be offered", newest)
    programs.catalog(world, "upgrade", world.project.name, "--yes")
    outputs = stack_outputs(world)
    expect(outputs["TemplateVersion"] == newest, f"the project to be at {newest}", outputs["TemplateVersion"])
    function = world.client("lambda").get_function_configuration(
        FunctionName=f"sagemaker-{world.project.id}-dispatcher"
    )
    expect(function["MemorySize"] == 192, "the dispatcher to have 192 MB", function["MemorySize"])
    started = {half: pipelines.known(world, half) - before[half] for half in before}
    expect(not any(started.values()), "no pipeline to start", started)
    world.facts.template_version = newest


def stack_outputs(world: World) -> dict[str, str]:
    """Outputs of the project's stack."""
    stack = world.client("cloudformation").describe_stacks(StackName=world.project.stack)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def delete(world: World) -> None:
    """Delete the project: nothing is left but what the plan said."""
    words = [world.project.name, *publishing.stages(world)]
    plan = programs.catalog(world, "delete", *words, "--plan").text
    done = programs.catalog(world, "delete", *words, "--yes")
    left = list(leftovers(world))
    surprising = [name for name in left if name not in plan and name not in done.text]
    expect(not surprising, "nothing but what the plan keeps", surprising, done.log)
    world.say(f"{len(left)} things are left, as the plan said")


def leftovers(world: World) -> Iterator[str]:
    """Names of everything that still exists and was made for the project, in every account."""
    for account in sorted(set(world.options.accounts.values())):
        purpose = next(name for name, number in world.options.accounts.items() if number == account)
        for service, operation, member, key in LISTINGS:
            listed = getattr(world.client(service, "engineer", purpose), operation)().get(member, [])
            for each in listed:
                name = str(each[key] if key else each).rsplit("/" if service == "sqs" else ":", 1)[-1]
                if world.project.id in name and exists(each):
                    yield name


def exists(found: object) -> bool:
    """Whether what was listed still exists: CloudFormation lists deleted stacks too."""
    return not (isinstance(found, dict) and found.get("StackStatus") == "DELETE_COMPLETE")


# service, operation, list in the answer, name in an entry
LISTINGS = (
    ("cloudformation", "list_stacks", "StackSummaries", "StackName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("kms", "list_aliases", "Aliases", "AliasName"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("codecommit", "list_repositories", "repositories", "repositoryName"),
    ("codebuild", "list_projects", "projects", ""),
    ("codepipeline", "list_pipelines", "pipelines", "name"),
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("events", "list_rules", "Rules", "Name"),
    ("sqs", "list_queues", "QueueUrls", ""),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
    ("sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroupName"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
)
