"""Refuses answers that AWS, TOML or Windows would refuse later, before a file of the project is written.

Cookiecutter fills in the one line with braces and runs this file in the new, still empty folder, which it removes after
a refusal. Since the folder comes first, `__refusal` in cookiecutter.json swaps a slug that is no plain folder name
("../x", 300 characters) for one that is harmless and refused here; `__answered_slug` keeps what was answered.
"""

import json
import re
import sys

ANSWERS: str = r"""{{ cookiecutter | tojson }}"""

SLUG = re.compile(
    r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}"
)  # SageMaker's own pattern for ProjectName; it admits more than 32
SLUG_LENGTH = 32
RESERVED_ON_WINDOWS = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[1-9]")
TAG_VALUE = re.compile(r"[\w .:/=+@-]{1,128}")  # what a tag's value may contain in every AWS service
TITLE = re.compile(r"""[^\x00-\x1f\x7f"\\<>{}]{1,128}""")


def slug_problem(slug: str) -> str | None:
    """Say why SageMaker or a file system would refuse this project name."""
    if not slug:
        return "project_slug is empty: name the folder of the project."
    if len(slug) > SLUG_LENGTH:
        return f"project_slug {slug[:40]!r} has {len(slug)} characters: SageMaker takes at most {SLUG_LENGTH}."
    if not SLUG.fullmatch(slug):
        return f"project_slug {slug!r} must be letters a-z, digits and dashes, with a letter or digit at both ends."
    if RESERVED_ON_WINDOWS.fullmatch(slug):
        return f"project_slug {slug!r} is a device on Windows, where nobody could check it out: choose another name."
    return None


def title_problem(title: str) -> str | None:
    """Say why this text cannot stand in a heading."""
    if TITLE.fullmatch(title) and title.strip():
        return None
    return f'project_name {title!r} must be one line of 1 to 128 characters, without " \\ < > or braces.'


def tag_problem(key: str, value: str) -> str | None:
    """Say why AWS would refuse this value of a tag."""
    if TAG_VALUE.fullmatch(value) and value == value.strip():
        return None
    return (
        f"{key} {value!r} becomes a tag: 1 to 128 letters, digits, spaces and _ . : / = + - @, no space at either end."
    )


def region_problem(region: str) -> str | None:
    """Say why this is not the code of a region."""
    if REGION.fullmatch(region):
        return None
    return f"aws_region {region!r} is not the code of a region, such as eu-west-1."


def problems(answers: dict[str, str]) -> list[str]:
    """Return a sentence for each answer that cannot be used."""
    found = [
        slug_problem(answers["__answered_slug"]),
        title_problem(answers["project_name"]),
        tag_problem("owner", answers["owner"]),
        tag_problem("cost_center", answers["cost_center"]),
        region_problem(answers["aws_region"]),
    ]
    return [problem for problem in found if problem]


if __name__ == "__main__":
    sys.exit("\n".join(problems(json.loads(ANSWERS))) or None)
