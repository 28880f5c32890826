"""The team's own columns while a file is read: made chunk by chunk, and held against what an endpoint would make.

Every row is tried, so that no later step and no endpoint meets one for which the function fails. It refuses, with file
and line, what serving/derived.py refuses with the row.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sagemaker_project_runtime.serving import wheels
from sagemaker_project_runtime.serving.derived import FUNCTION, DerivedError, Given, check_alone, derive, function
from sagemaker_project_runtime.serving.transformation import Column, Dropped, Raw
from sagemaker_project_runtime.steps.configuration import Configuration
from sagemaker_project_runtime.steps.errors import DataError
from sagemaker_project_runtime.steps.profile import Profile
from sagemaker_project_runtime.steps.table import Chunk, Table

ALONE = 20  # rows of each chunk that are derived once more by themselves
CODE = Path(__file__).resolve().parents[2]


class Derivation:
    """`names`: the columns that the function makes; `read`: those of the file that it looks at."""

    def __init__(self, source: Table, configuration: Configuration) -> None:
        self.source = source
        self.hidden = dict.fromkeys(configuration.drop, "which [data] drop keeps from the model")
        self.hidden[configuration.target] = "which is the target"
        self.names: tuple[str, ...] = ()
        self.read: set[str] = set()

    @classmethod
    def of(cls, source: Table, configuration: Configuration) -> "Derivation | None":
        """None without such a function. Raises DataError when features.py cannot be imported."""
        wheels.install(CODE)
        try:
            return cls(source, configuration) if function() else None
        except DerivedError as error:
            raise DataError(f"{error}.") from error

    def columns(self, chunk: Chunk) -> dict[str, list[str]]:
        """The new columns of a chunk, as the text of their cells. Raises DataError."""
        cells = dict(zip(self.source.header, chunk.columns(), strict=True))
        try:
            given = Given({name: cells[name] for name in self.source.header if name not in self.hidden}, self.hidden)
            found = derive(given)
            for row in range(min(ALONE, len(chunk.rows))):
                check_alone(given, found, row)
        except DerivedError as error:
            raise DataError(f"{self._place(chunk, error.row)}: {error}.") from error
        self.read |= given.read
        if self.names not in ((), tuple(found)):
            what = f"{FUNCTION} returns the columns {list(found)} here and {list(self.names)} for the rows before"
            raise DataError(f"{self._place(chunk, 0)}: {what}.")
        self.names = tuple(found)
        return found

    def _place(self, chunk: Chunk, row: int | None) -> str:
        name = self.source.path.name
        return name if row is None else f"{name}, line {self.source.line_of(chunk.start + row)}"

    def keep_what_is_read(
        self, decided: Sequence[Column | Dropped], profiles: Mapping[str, Profile]
    ) -> list[Column | Dropped]:
        """Columns that are no feature and that the function reads stay, so that callers send them."""
        return [
            Raw(column.name, missing=profiles[column.name].missing > 0)
            if isinstance(column, Dropped) and column.name in self.read
            else column
            for column in decided
        ]
