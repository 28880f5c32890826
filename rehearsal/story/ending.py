"""The platform engineer upgrades the project, and at last deletes it."""

import re
from collections.abc import Iterator

from rehearsal.report.gather import gather
from rehearsal.story import channels, pipelines, programs, provider, publishing, releasing
from rehearsal.story.world import World, expect

CHANGE = ("      MemorySize: 128\n", "      MemorySize: 192\n")  # of the function that starts the pipelines

NEWS = ("data/README.md", "\nOne line more from the template.\n")  # in the project's own files


def upgrade(world: World) -> None:
    """Upgrade the project to the product's next version: nothing starts, and the release under way ends green."""
    folder = publishing.repository(world)
    template = folder / "service_catalog" / "templates" / "product" / "dispatcher.yaml"
    text = template.read_text(encoding="utf-8")
    expect(text.count(CHANGE[0]) == 1, f"one function with {CHANGE[0].strip()}", text.count(CHANGE[0]), template)
    template.write_text(text.replace(*CHANGE), encoding="utf-8")
    note = folder / "{{cookiecutter.project_slug}}" / NEWS[0]
    note.write_text(note.read_text(encoding="utf-8") + NEWS[1], encoding="utf-8")
    publishing.commit(folder, "Give the dispatcher more memory, and projects a line")
    programs.catalog(world, "publish", *publishing.arguments(world))
    newest = channels.of(world).newest(world)
    expect(newest != world.facts.template_version, "a new version to be offered", newest)
    programs.catalog(world, "upgrade", world.project.name, "--yes")
    require_pull_request(world)
    outputs = stack_outputs(world)
    expect(outputs["TemplateVersion"] == newest, f"the project to be at {newest}", outputs["TemplateVersion"])
    function = world.client("lambda").get_function_configuration(
        FunctionName=f"sagemaker-{world.project.id}-dispatcher"
    )
    expect(function["MemorySize"] == 192, "the dispatcher to have 192 MB", function["MemorySize"])
    pipelines.require_known(world)
    pipelines.succeeded(world, "deploy", world.kept["release"])
    releasing.require_unharmed(world)
    world.facts.template_version = newest


def require_pull_request(world: World) -> None:
    """The code's update waits for the team as a pull request. A Git host behind a connection has no call for one."""
    if world.options.provider != "codecommit":
        return
    name, codecommit = world.project.repository, world.client("codecommit", "scientist")
    numbers = codecommit.list_pull_requests(repositoryName=name, pullRequestStatus="OPEN")["pullRequestIds"]
    expect(len(numbers) == 1, "one open pull request", numbers)
    request = codecommit.get_pull_request(pullRequestId=numbers[0])["pullRequest"]
    source = request["pullRequestTargets"][0]["sourceReference"]
    text = codecommit.get_file(repositoryName=name, commitSpecifier=source, filePath=NEWS[0])["fileContent"].decode()
    expect(text.endswith(NEWS[1]), f"{NEWS[0]} to hold the template's new line on {source}", text[-200:])
    world.say(f"pull request {numbers[0]}: {request['title']}")


def stack_outputs(world: World) -> dict[str, str]:
    """Outputs of the project's stack."""
    stack = world.client("cloudformation").describe_stacks(StackName=world.project.stack)["Stacks"][0]
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def delete(world: World) -> None:
    """Delete the project: nothing is left but what the plan said."""
    gather(world.facts, world.emulator, world.project)  # while there is something to see
    words = [world.project.name, *publishing.stages(world)]
    commits = provider.commits(world) if world.options.provider == "connection" else {}
    plan = programs.catalog(world, "delete", *words, "--plan").text
    orphans = [line for line in plan.splitlines() if line.lstrip().startswith("!  orphan")]
    expect(not orphans, "everything of the project to be in one of its stacks", orphans)
    done = programs.catalog(world, "delete", *words, "--yes")
    world.kept.pop("executions")  # they went with their pipelines
    left = list(leftovers(world))
    surprising = [name for name in left if name not in plan and name not in done.text]
    expect(not surprising, "nothing but what the plan keeps", surprising, done.log)
    if commits:
        provider.require_kept(world, plan, commits)
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
        yield from tagged(world, purpose)


def tagged(world: World, purpose: str) -> Iterator[str]:
    """Names of everything in an account that carries the project's tag, but for jobs, which nobody can delete."""
    filters = [{"Key": "sagemaker:project-id", "Values": [world.project.id]}]
    client = world.client("resourcegroupstaggingapi", "engineer", purpose)
    for page in client.get_paginator("get_resources").paginate(TagFilters=filters):
        resources = (each["ResourceARN"].split(":", 5)[5] for each in page["ResourceTagMappingList"])
        yield from (NAMED.sub(r"\1", name) for name in resources if "-job/" not in name)


def exists(found: object) -> bool:
    """Whether what was listed still exists: CloudFormation lists deleted stacks too."""
    return not (isinstance(found, dict) and found.get("StackStatus") == "DELETE_COMPLETE")


# The name in the last part of an ARN: without its kind, and a model package's without its version.
NAMED = re.compile(r"^(?:[a-z-]+[:/])?(.+?)(?:/[0-9]+|:\*)?$")
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
