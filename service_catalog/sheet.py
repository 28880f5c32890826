"""What `create --plan` tells besides its plan: the answers and where each comes from, and what the project would be.

It says only what follows from the answers and the template of the version; where the template may not be read, what
would follow from it is left out.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rich.console import Console
from rich.text import Text

from service_catalog import layout, names, plan, rules
from service_catalog.answers import FILLED_IN, Form
from service_catalog.stages import IN_ORDER

_SEED = ("SeedBucket", "SeedKey")
_KINDS = 8


@dataclass(frozen=True)
class Sheet:
    """A new project: its name, the questions, what was answered, and the template (empty if it may not be read)."""

    name: str
    form: Form
    given: Mapping[str, str]
    document: Mapping[str, Any]

    @cached_property
    def values(self) -> dict[str, str]:
        """Every parameter as the project's stack gets it."""
        asked = (question for question in self.form.questions if question.name not in FILLED_IN)
        return {question.name: self.given.get(question.name, question.default or "") for question in asked}

    def value(self, name: str) -> str:
        """A parameter; empty if this version does not ask for it."""
        return self.values.get(name, "")

    # --- answers -----------------------------------------------------------------------------------------------------

    def answers(self) -> Iterator[layout.Row]:
        """Each parameter that has a value, and where that comes from."""
        for name, value in self.values.items():
            if name in self.given:
                source = "sent: what --from packs" if name in _SEED else "sent: you gave it"
                yield layout.Row("+", "green", (name, value or "nothing"), source)
            elif value:
                yield layout.Row("=", "dim", (name, value), "default of this version", faint=True)

    def unanswered(self) -> str:
        """The parameters that stay empty."""
        return ", ".join(name for name, value in self.values.items() if not value and name not in self.given)

    # --- what it would be --------------------------------------------------------------------------------------------

    def facts(self) -> Iterator[tuple[str, str]]:
        """Subject and sentence."""
        yield "name", f"{self.name}; SageMaker chooses the id, and both stand in the names of what is made"
        yield "repository", self._repository()
        yield from self._resources()
        places = zip(IN_ORDER, names.STAGE_PARAMETERS.values(), strict=True)
        yield "models", ", ".join(f"{stage.title.lower()} in {self._account(name)}" for stage, name in places)
        yield "starts", self._starts()
        if email := self.value("AlertEmail"):
            yield "e-mail", f"{email} is asked to confirm, and then to approve production, and hears of failures"
        yield "checked", self._checked()

    def _repository(self) -> str:
        seed = f"s3://{self.value('SeedBucket')}/{self.value('SeedKey')}"
        if self.value("RepositoryProvider") == "Connection":
            return f"{self.value('RepositoryId')}, through the connection; {seed} fills it only if it is empty"
        repository = names.Project(self.name, "ID").repository
        return f"a new one in CodeCommit, {repository}, which begins with {seed}"

    def _resources(self) -> Iterator[tuple[str, str]]:
        holds = rules.conditions(self.document.get("Conditions") or {}, {**self.form.pseudo, **self.values})
        declared = (self.document.get("Resources") or {}).values()
        kinds = Counter(one["Type"].split("::")[1] for one in declared if holds.get(one.get("Condition", ""), True))
        if kinds:
            most = [f"{count} {kind}" for kind, count in kinds.most_common()]
            yield "makes", f"{plan.counted(kinds.total(), 'resource')}: {layout.listed(most, _KINDS)}"

    def _account(self, name: str) -> str:
        return self.value(name) or f"this account ({self.form.pseudo.get('AWS::AccountId', '')})"

    def _starts(self) -> str:
        schedule = f" and by {self.value('RetrainSchedule')}" if self.value("RetrainSchedule") else ""
        return (
            f"the build pipeline trains a first model as soon as there is code, later with each push to its "
            f"half{schedule}; the deploy pipeline waits for a model that somebody approves"
        )

    def _checked(self) -> str:
        count = plan.counted(len(self.values), "answer")
        if not self.document:
            return f"{count} one by one; not which go together"
        found = self.document.get("Rules") or {}
        return f"{count} one by one, and {plan.counted(len(found), 'rule')} of the template: {', '.join(found)}"


def show(sheet: Sheet, console: Console) -> None:
    """The answers, then what the project would be."""
    console.print(Text("\nAnswers", style="bold"))
    layout.show(("", "parameter", "value", "where it comes from"), list(sheet.answers()), console)
    layout.hang(sheet.unanswered(), console, 12, head="no value", faint=True)
    console.print(Text("\nThe project", style="bold"))
    for subject, sentence in sheet.facts():
        layout.hang(sentence, console, 12, head=subject)
