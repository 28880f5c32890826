"""What product.yaml and the project template must agree about: paths, variables, environments, artifacts, outputs."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sagemaker_project_kit import variables
from tests.infrastructure import catalog, stages, subjects
from tests.infrastructure.cloudformation import Stack

PROJECT = stages.FOLDER.parent
TEXT = catalog.templates()["product.yaml"]
STACKS = dict(subjects.stacks("product.yaml", TEXT))
EVERYTHING, SMALL = STACKS["every option on"], STACKS["small, CodeCommit, every option off"]

# What CodeBuild sets by itself (its user guide, "Environment variables in build environments").
FROM_CODEBUILD = {"AWS_REGION", "CODEBUILD_RESOLVED_SOURCE_VERSION", "CODEBUILD_SRC_DIR_Release"}
# What the deploy pipeline's action sets, for one execution.
FROM_THE_ACTION = {"MODEL_PACKAGE_ARN", "MODEL_PACKAGE_EVENT_TIME"}
FROM_MAKE = {"CODEARTIFACT_DOMAIN", "CODEARTIFACT_DOMAIN_OWNER", "CODEARTIFACT_REPOSITORY"}
DEPLOY_BUILDS = ("Release", "VerifyStaging", "Confirm", "VerifyProd")


def builds(stack: Stack) -> dict[str, dict[str, Any]]:
    return dict(stack.of_type("AWS::CodeBuild::Project"))


def pipelines(stack: Stack) -> dict[str, dict[str, Any]]:
    return dict(stack.of_type("AWS::CodePipeline::Pipeline"))


def environment(stack: Stack, build: str) -> dict[str, str]:
    found = builds(stack)[build]["Environment"]["EnvironmentVariables"]
    names = [each["Name"] for each in found]
    assert len(names) == len(set(names)), f"{build} sets a variable twice"
    assert all(each.get("Type", "PLAINTEXT") == "PLAINTEXT" for each in found)
    return {each["Name"]: each["Value"] for each in found}


# --- triggers: one table ----------------------------------------------------------------------------------------------


def patterns(stack: Stack, pipeline: str) -> list[str]:
    (trigger,) = pipelines(stack)[pipeline]["Triggers"]
    (push,) = trigger["GitConfiguration"]["Push"]
    found: list[str] = push["FilePaths"]["Includes"]
    return found


def dispatched(stack: Stack) -> dict[str, list[str]]:
    """The dispatcher's own table, read out of its code."""
    ((_, function),) = stack.of_type("AWS::Lambda::Function")
    texts = re.findall(r'(BUILD|DEPLOY): "([^"]*)"\.split', function["Code"]["ZipFile"])
    return {f"{half.capitalize()}Pipeline": text.split(",") for half, text in texts}


def test_triggers_and_the_dispatcher_have_the_same_table() -> None:
    assert dispatched(SMALL) == {name: patterns(EVERYTHING, name) for name in ("BuildPipeline", "DeployPipeline")}


def test_both_halves_follow_what_they_share() -> None:
    table = dispatched(SMALL)
    shared = set(table["BuildPipeline"]) & set(table["DeployPipeline"])
    assert shared == {"Makefile", "environment.mk", "pyproject.toml", "requirements.lock"}
    assert set(table["BuildPipeline"]) - shared == {"model_build/**", "data/**", "project.toml"}
    assert set(table["DeployPipeline"]) - shared == {"model_deploy/**"}


def test_every_pattern_is_about_something_that_the_project_has() -> None:
    found = {pattern.removesuffix("/**") for half in dispatched(SMALL).values() for pattern in half}
    assert {each for each in found if not (PROJECT / each).exists()} == set()


def test_what_make_needs_concerns_both_halves() -> None:
    """Files that make reads at the top of the project, in every verb."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    included = set(re.findall(r"^include (\S+)", makefile, re.MULTILINE))
    table = dispatched(SMALL)
    assert included <= set(table["BuildPipeline"]) & set(table["DeployPipeline"])


# --- builds and the verbs they run ------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", ["Train", *DEPLOY_BUILDS])
def test_a_build_runs_a_buildspec_of_the_project(build: str) -> None:
    path = PROJECT / builds(SMALL)[build]["Source"]["BuildSpec"]
    verb = {"Train": "train", "Release": "release", "Confirm": "confirm"}.get(build, "verify")
    commands = yaml.safe_load(path.read_text(encoding="utf-8"))["phases"]["build"]["commands"]
    assert f"make {verb}" in commands


def test_every_buildspec_has_a_build() -> None:
    used = {build["Source"]["BuildSpec"] for name, build in builds(SMALL).items()}
    there = {path.relative_to(PROJECT).as_posix() for half in ("model_build", "model_deploy") for path in _specs(half)}
    assert used == there


def _specs(half: str) -> list[Path]:
    return sorted((PROJECT / half).glob("*.yml"))


@pytest.mark.parametrize("build", ["Train", "VerifyStaging", "VerifyProd"])
def test_reports_go_to_groups_of_the_template(build: str) -> None:
    """CodeBuild would make a group of the name <project>-<group>, which nobody would delete."""
    project = builds(SMALL)[build]
    (group,) = yaml.safe_load((PROJECT / project["Source"]["BuildSpec"]).read_text(encoding="utf-8"))["reports"]
    names = {body["Name"] for _, body in SMALL.of_type("AWS::CodeBuild::ReportGroup")}
    assert f"{project['Name']}-{group}" in names


def test_python_of_the_builds_is_in_their_image() -> None:
    """Published builds run 3.12 on it, and CodeBuild lists the image; unproven without an account."""
    specs = [yaml.safe_load(path.read_text(encoding="utf-8")) for half in _HALVES for path in _specs(half)]
    assert {spec["phases"]["install"]["runtime-versions"]["python"] for spec in specs} == {"3.12"}
    images = {build["Environment"]["Image"] for build in builds(EVERYTHING).values()}
    assert images == {"aws/codebuild/amazonlinux-x86_64-standard:6.0"}


_HALVES = ("model_build", "model_deploy")
KIT = PROJECT.parent / "kit" / "src" / "sagemaker_project_kit"


# --- environments -----------------------------------------------------------------------------------------------------


def read_by(part: str) -> set[str]:
    """Every name in capitals that the settings of a part of the kit look up in the environment."""
    found: set[str] = set()
    for file in ("settings.py", "__main__.py"):
        tree = ast.parse((KIT / part / file).read_text(encoding="utf-8"))
        texts = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }
        found |= {text for text in texts if re.fullmatch(r"(?=.*_)[A-Z][A-Z_]*[A-Z](_Release)?", text)}
        found |= set(_shared(tree))
    return found - _NO_VARIABLES


def _shared(tree: ast.AST) -> Iterator[str]:
    """The names that come from the kit's one list, `variables`: all of a table, or the one that is asked for."""
    subscripted = {node.value: node.slice for node in ast.walk(tree) if isinstance(node, ast.Subscript)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "variables":
            value, key = getattr(variables, node.attr), subscripted.get(node)
            if isinstance(value, dict):
                yield from [value[key.value]] if isinstance(key, ast.Constant) else value.values()
            else:
                yield value


_NO_VARIABLES = {"ALL_AT_ONCE"}


def test_what_the_build_half_reads_is_what_its_build_has() -> None:
    lists = {"SUBNET_IDS", "SECURITY_GROUP_IDS"}  # their names are made from the fields' (tables.NETWORK)
    read = read_by("pipeline") | lists
    given = environment(EVERYTHING, "Train").keys() - FROM_MAKE
    assert read - FROM_CODEBUILD == given


@pytest.mark.parametrize("build", DEPLOY_BUILDS)
def test_what_the_deploy_half_reads_is_what_its_builds_have(build: str) -> None:
    roles = {f"{stage}_{kind}" for stage in ("STAGING", "PROD") for kind in _SUFFIXES}  # made from the stages' names
    read = (read_by("deploy") | roles) - FROM_CODEBUILD - FROM_THE_ACTION
    given = environment(EVERYTHING, build).keys() - FROM_MAKE
    assert given == read | ({"STAGE"} if build.startswith("Verify") else set())


_SUFFIXES = ("ACCOUNT_ID", "ENDPOINT_ROLE_ARN", "VERIFY_ROLE_ARN")


@pytest.mark.parametrize("build", ["Train", *DEPLOY_BUILDS])
def test_the_package_index_is_what_make_reads(build: str) -> None:
    makefile = (PROJECT / "environment.mk").read_text(encoding="utf-8")
    assert set(re.findall(r"\bCODEARTIFACT_\w+", makefile)) == FROM_MAKE
    without = environment(SMALL, build).keys() & FROM_MAKE
    named = environment(STACKS["package index of another account"], build)
    assert (without, FROM_MAKE - named.keys()) == (set(), set())


def test_the_settings_of_the_deploy_half_take_what_they_are_given() -> None:
    """As CodeBuild would hand it over, ARNs of what does not exist yet made up."""
    known = {"<Key.Arn>": "arn:aws:kms:eu-central-1:111122223333:key/1", "<Bucket>": "sagemaker-p-1"}
    environ = {name: known.get(value, value) for name, value in environment(EVERYTHING, "VerifyProd").items()}
    environ |= {"AWS_REGION": "eu-central-1", **dict.fromkeys(FROM_THE_ACTION, "none")}
    code = (
        "import os, pathlib; from sagemaker_project_kit.deploy.settings import load;"
        "found = load(pathlib.Path(), os.environ);"
        "print(*[stage.account for stage in found.stages], found.endpoint('prod'), repr(found.package_arn))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environ, capture_output=True, text=True)
    endpoint = f"{stages.PROJECT_NAME}-{stages.PROJECT_ID}-prod"
    assert done.stdout == f"222222222222 333333333333 {endpoint} ''\n", done.stderr


def test_every_option_reaches_every_build() -> None:
    expected = {"VpcId": "vpc-0123456789abcdef0"}
    assert {name for name, build in builds(EVERYTHING).items() if expected.items() <= build["VpcConfig"].items()} == {
        "Train",
        *DEPLOY_BUILDS,
        "Seed",
    }
    assert not any("VpcConfig" in build for build in builds(SMALL).values())


# --- pipelines --------------------------------------------------------------------------------------------------------


def test_the_release_gets_the_variables_of_the_execution() -> None:
    action = pipelines(SMALL)["DeployPipeline"]["Stages"][1]["Actions"][0]
    given = yaml.safe_load(action["Configuration"]["EnvironmentVariables"])
    assert given == [{"name": name, "value": f"#{{variables.{name}}}"} for name in sorted(FROM_THE_ACTION)]


def test_templates_and_parameters_are_those_that_release_writes() -> None:
    """release.py writes one file for each template, scaling-before.json and the template of the API."""
    concerns = {Path(name).stem for name in stages.templates()}
    for stage, actions in _deployments(SMALL).items():
        files = {action["Configuration"]["TemplateConfiguration"] for action in actions}
        assert files == {f"Release::{stage}/{name}.json" for name in concerns | {"scaling-before"}}
        assert {action["Configuration"]["TemplatePath"] for action in actions} == {
            f"Release::{stage}/api.yaml" if name == "api" else f"Source::model_deploy/{name}.yaml" for name in concerns
        }


def _deployments(stack: Stack) -> dict[str, list[dict[str, Any]]]:
    by_name = {stage["Name"]: stage["Actions"] for stage in pipelines(stack)["DeployPipeline"]["Stages"]}
    titles = {"staging": "Staging", "prod": "Production"}
    return {stage: [each for each in by_name[title] if "RoleArn" in each] for stage, title in titles.items()}


def test_verify_knows_which_stage_it_looks_at() -> None:
    found = {build: environment(SMALL, build)["STAGE"] for build in ("VerifyStaging", "VerifyProd")}
    assert found == {"VerifyStaging": "staging", "VerifyProd": "prod"}


def test_the_secondary_artifact_is_where_the_deploy_half_looks_for_it() -> None:
    main = (KIT / "deploy" / "__main__.py").read_text(encoding="utf-8")
    assert 'RELEASE_INPUT = "CODEBUILD_SRC_DIR_Release"' in main
    two = [
        action
        for stage in pipelines(SMALL)["DeployPipeline"]["Stages"]
        for action in stage["Actions"]
        if action["ActionTypeId"]["Provider"] == "CodeBuild" and len(action["InputArtifacts"]) == 2
    ]
    assert {action["Configuration"]["PrimarySource"] for action in two} == {"Source"}
    assert {each["Name"] for action in two for each in action["InputArtifacts"]} == {"Source", "Release"}
    assert len(two) == 3


# --- accounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scenario", "staging", "prod"),
    [
        ("small, CodeCommit, every option off", "111122223333", "111122223333"),
        ("production apart", "111122223333", "333333333333"),
        ("medium", "222222222222", "333333333333"),
    ],
)
def test_accounts_of_the_stages(scenario: str, staging: str, prod: str) -> None:
    stack = STACKS[scenario]
    found = environment(stack, "Release")
    assert (found["STAGING_ACCOUNT_ID"], found["PROD_ACCOUNT_ID"]) == (staging, prod)
    group = dict(stack.of_type("AWS::SageMaker::ModelPackageGroup"))["ModelPackageGroup"]
    assert ("ModelPackageGroupPolicy" in group) is ({staging, prod} != {"111122223333"})


# --- what others read -------------------------------------------------------------------------------------------------


def test_the_version_is_the_repository_s() -> None:
    number = re.search(r'^version = "(.*)"', (stages.ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert number
    assert SMALL.outputs["TemplateVersion"]["Value"] == number[1]


@pytest.mark.parametrize(
    "label", ["seed bucket", "seed key", "version", "staging account", "prod account", "organization"]
)
def test_publish_finds_each_line_that_it_fills_in(label: str) -> None:
    assert len(re.findall(rf'^\s*\w+: "[^"\n]*"\s+# publish: {label}$', TEXT, re.MULTILINE)) == 1


def test_outputs_name_everything_that_a_person_looks_for() -> None:
    found = {name: output["Value"] for name, output in EVERYTHING.outputs.items()}
    assert found["ModelPackageGroupName"] == f"{stages.PROJECT_NAME}-{stages.PROJECT_ID}"
    assert found["RepositoryUrl"] == (
        "https://codeconnections.eu-central-1.amazonaws.com/git-http/111122223333/eu-central-1/"
        "8ad5a1f4-8a7b-4f0e-9c3c-1b2a3c4d5e6f/example-organization/churn.git"
    )
    assert "SeedProjectName" in found
    assert "SeedProjectName" not in SMALL.outputs
    assert SMALL.outputs["RepositoryUrl"]["Value"] == "<Repository.CloneUrlHttp>"


def test_the_template_is_within_its_limits() -> None:
    """1 MB in S3; 200 parameters, 500 resources, 200 outputs ("CloudFormation quotas")."""
    assert len(TEXT.encode()) < 1_000_000
    assert len(SMALL.document["Parameters"]) <= 180  # SageMaker's CreateProject
    assert len(SMALL.document["Resources"]) < 500
