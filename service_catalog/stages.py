"""The stages that a model is deployed to, in order: the one list of them, and what they are called.

The templates are joined for each of them (joiner.py), and the command line takes its names from here (names.py). The
last stage that people approve is the one that traffic comes to.
"""

from dataclasses import dataclass

# What is made in a stage one after the other; CodePipeline counts from 1, and what people approve is confirmed first.
_ORDER = ("first", "second", "third", "fourth", "fifth")


@dataclass(frozen=True)
class Stage:
    """`name` stands in the names of roles, stacks and folders, and begins logical ids: lower-case letters, at most 7.

    `title` is the word for people, `tests` what its verification does, and `approval` the step of the deploy pipeline
    in which people let a release in; without one, every release comes in.
    """

    name: str
    title: str
    tests: str
    approval: str = ""

    @property
    def words(self) -> dict[str, str]:
        """What a part of a template may say of a stage, between < and >."""
        first = 2 if self.approval else 1
        return {
            "stage": self.name,
            "Stage": self.name.capitalize(),
            "STAGE": self.name.upper(),
            "title": self.title.lower(),
            "Title": self.title,
            "tests": self.tests,
            "approval": self.approval,
            **{word: str(number) for number, word in enumerate(_ORDER, first)},
        }


IN_ORDER = (
    Stage("staging", "Staging", "Tests the staging endpoint, under load"),
    Stage("prod", "Production", "Tests the production endpoint", approval="Approve"),
)
