"""The tables of project.toml, and what of the environment belongs to them, as frozen types. Nothing is read here."""

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sagemaker_project_kit import names
from sagemaker_project_runtime.steps.known_metrics import is_minimized

ProblemType = Literal["regression", "binary", "multiclass"]

KINDS = ("Integer", "Continuous", "Categorical")
# Images that SageMaker takes for built-in algorithms, in script mode too. It answers "You can't override the metric
# definitions for Amazon SageMaker algorithms" (aws/sagemaker-python-sdk, issues on sagemaker-xgboost in script mode).
BUILT_IN = ("xgboost",)

LOCAL_ACCOUNT = "111111111111"
# What the ids of a network begin with.
NETWORK_IDS = {"subnet_ids": "subnet", "security_group_ids": "sg"}


class Table(BaseModel):
    """A table of project.toml: unknown keys and wrong types are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Project(Table):
    """Who owns the project; the name is overridden by SAGEMAKER_PROJECT_NAME."""

    name: str
    owner: str = ""
    cost_center: str = ""
    region: str = Field(default="us-east-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")

    @field_validator("name", "owner", "cost_center", "region", mode="before")
    @classmethod
    def fill_placeholder(cls, value: object, info: Any) -> object:
        """The template folder works before Cookiecutter has filled it in, with a neutral value for each placeholder."""
        if isinstance(value, str) and value.startswith("{{"):
            return {"name": "unrendered", "region": "us-east-1"}.get(info.field_name, "")
        return value

    @field_validator("name")
    @classmethod
    def check_name(cls, value: str) -> str:
        """A SageMaker project name; later names are budgeted for its 32 characters."""
        if not names.is_name(value, names.PROJECT_NAME_LENGTH):
            raise ValueError(
                "must be 1 to 32 letters and digits with dashes between them, as SageMaker asks of a project name"
            )
        return value

    @field_validator("owner", "cost_center")
    @classmethod
    def check_tag(cls, value: str) -> str:
        """Owner and cost center become tags on every resource."""
        if value and not names.OWNER_VALUE.fullmatch(value):
            raise ValueError(f"becomes an AWS tag: 1 to 128 {names.TAG_CHARACTERS}")
        return value


class Split(Table):
    """Shares of the rows that train the model, stop its training and judge it."""

    train: float = Field(default=0.70, gt=0, lt=1)
    validation: float = Field(default=0.15, gt=0, lt=1)
    test: float = Field(default=0.15, gt=0, lt=1)
    seed: int = Field(default=7, ge=0)
    stratify: bool = True

    @model_validator(mode="after")
    def check_sum(self) -> Self:
        """The three shares cover every row once."""
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train + validation + test must be 1, found {total:g}")
        return self


class Data(Table):
    """Where the rows come from and what is to be predicted."""

    source: str = Field(min_length=1)
    target: str = Field(min_length=1)
    problem_type: ProblemType
    positive_label: str | None = None
    drop: list[str] = []
    categorical: list[str] = []
    numeric: list[str] = []
    time_column: str | None = None
    split: Split = Split()

    @field_validator("positive_label", "time_column", mode="before")
    @classmethod
    def empty_is_none(cls, value: object) -> object:
        """TOML has no null: an empty string stands for "not given"."""
        return None if value == "" else value

    @property
    def is_remote(self) -> bool:
        """Whether the source is an object or prefix in S3."""
        return self.source.startswith("s3://")


class Tuning(Table):
    """Hyperparameter search in place of a single training job."""

    strategy: Literal["off", "random", "bayesian"] = "off"
    max_jobs: int = Field(default=10, ge=1, le=750)
    max_parallel_jobs: int = Field(default=2, ge=1, le=100)
    ranges: dict[str, Any] = {}

    @field_validator("ranges")
    @classmethod
    def check_ranges(cls, ranges: dict[str, Any]) -> dict[str, Any]:
        """[low, high] for numbers, a list of words otherwise."""
        if wrong := [name for name, values in ranges.items() if not _is_range(values)]:
            raise ValueError(f"{', '.join(wrong)} must be [low, high] with low < high, or a list of words")
        return ranges

    @model_validator(mode="after")
    def check_something_to_search(self) -> Self:
        """A search needs ranges."""
        if self.strategy != "off" and not self.ranges:
            raise ValueError("ranges must name at least one hyperparameter, for example max_depth = [3, 9]")
        return self


def _is_range(values: object) -> bool:
    """Whether `values` is [low, high] or a list of words."""
    if not isinstance(values, list) or len(values) < 2:
        return False
    if all(isinstance(value, str) for value in values):
        return True
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return numeric and len(values) == 2 and bool(values[0] < values[1])


class Train(Table):
    """How and on what the model is trained."""

    instance_type: str = Field(default="ml.m5.large", pattern=r"^ml\.")
    processing_instance_type: str = Field(default="ml.m5.large", pattern=r"^ml\.")
    spot: bool = False
    max_runtime_minutes: int = Field(default=60, ge=1, le=40_320)
    hyperparameters: dict[str, Any] = {}
    tuning: Tuning = Tuning()

    @field_validator("hyperparameters")
    @classmethod
    def check_values(cls, hyperparameters: dict[str, Any]) -> dict[str, Any]:
        """A hyperparameter travels as one string."""
        if wrong := [
            name for name, value in hyperparameters.items() if not isinstance(value, bool | int | float | str)
        ]:
            raise ValueError(f"{', '.join(wrong)} must be a number, a word, true or false")
        return hyperparameters


class Evaluate(Table):
    """The gate: register only above the threshold and not worse than the champion by more than the tolerance."""

    metric: str
    threshold: float
    champion_tolerance: float = Field(default=0.0, ge=0)

    @field_validator("threshold", "champion_tolerance", mode="before")
    @classmethod
    def accept_integers(cls, value: object) -> object:
        """`threshold = 1` means 1.0."""
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @property
    def lower_is_better(self) -> bool:
        """Whether the metric is an error."""
        return is_minimized(self.metric)


class Model(Table):
    """What model_build/model.py says about itself: its constants, in lower case."""

    framework: str
    image: str
    image_version: str
    wheel_version: str = ""  # no constant: of the framework's wheel in the group job-wheels, if it comes as one
    objectives: dict[ProblemType, tuple[str, str]] = {}
    tunable: dict[str, str] = {}  # hyperparameter → kind
    fixed: dict[str, str] = {}

    @field_validator("tunable", "fixed", mode="before")
    @classmethod
    def by_name(cls, kinds: object) -> object:
        """{"Integer": "a b"} → {"a": "Integer", "b": "Integer"}."""
        if not isinstance(kinds, dict) or not all(isinstance(names, str) for names in kinds.values()):
            raise ValueError('must be names by kind, such as {"Integer": "max_depth", "Continuous": "eta gamma"}')
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            raise ValueError(f"{unknown[0]!r} is no kind; allowed: {', '.join(KINDS)}")
        return {name: kind for kind, names in kinds.items() for name in names.split()}

    @field_validator("objectives", mode="after")
    @classmethod
    def check_direction(cls, objectives: dict[ProblemType, tuple[str, str]]) -> dict[ProblemType, tuple[str, str]]:
        """As SageMaker spells them."""
        if wrong := [way for _, way in objectives.values() if way not in ("Maximize", "Minimize")]:
            raise ValueError(f"{wrong[0]!r} is neither Maximize nor Minimize")
        return objectives

    @property
    def is_built_in(self) -> bool:
        """Whether SageMaker brings the image's metrics along and takes no others."""
        return self.image in BUILT_IN

    @property
    def hyperparameters(self) -> dict[str, str]:
        """Name → kind of all that project.toml may set."""
        return self.fixed | self.tunable


class Environment(Table):
    """What product.yaml hands to CodeBuild; on a laptop every value has a stand-in."""

    project_id: str = ""
    project_arn: str = ""
    model_package_group: str = ""
    artifact_bucket: str = "local-artifacts"
    kms_key_arn: str = ""
    pipeline_role_arn: str = f"arn:aws:iam::{LOCAL_ACCOUNT}:role/local-pipeline"
    region: str
    subnet_ids: list[str] = []
    security_group_ids: list[str] = []

    @field_validator(*NETWORK_IDS)
    @classmethod
    def check_ids(cls, value: list[str], info: Any) -> list[str]:
        """Ids with commas between them and nothing else."""
        kind = NETWORK_IDS[info.field_name]
        if not all(re.fullmatch(rf"{kind}-[0-9a-f]{{8,17}}", each) for each in value):
            raise ValueError(f"must be ids such as {kind}-0123456789abcdef0 with commas between them")
        return value


class Settings(Table):
    """Everything the build half needs to know."""

    root: Path
    project: Project
    data: Data
    train: Train = Train()
    evaluate: Evaluate
    model: Model
    environment: Environment

    @property
    def pipeline_name(self) -> str:
        """At most 32 + 1 + 20 + 9 of the 256 characters that SageMaker allows."""
        return f"{self.unique_name}-training"

    @property
    def unique_name(self) -> str:
        """Project name and id: unique after a project is deleted and made again (32 + 1 + 20 characters)."""
        return "-".join(filter(None, [self.project.name, self.environment.project_id]))

    @property
    def model_package_group(self) -> str:
        """The contract between the halves; at most 63 characters."""
        return self.environment.model_package_group or self.unique_name

    @property
    def framework(self) -> str:
        """What trains the model, for people: the framework, its version where it comes as a wheel, and the image."""
        model = self.model
        named = " ".join(filter(None, [model.framework, model.wheel_version]))
        return f"{named} in AWS's image {model.image} {model.image_version}"

    @property
    def tags(self) -> dict[str, str]:
        """The tags that everything carries; empty ones are left out."""
        tags = {
            "sagemaker:project-name": self.project.name,
            "sagemaker:project-id": self.environment.project_id,
            "owner": self.project.owner,
            "cost-center": self.project.cost_center,
        }
        return {key: value for key, value in tags.items() if value}
