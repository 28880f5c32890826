"""Fit the transformation: watch each column of the training rows in chunks, then decide what it is.

Memory stays bounded whatever the file's length: counts of texts are pruned to the most frequent. It reads no files and
refuses to guess in silence: every dropped column carries its reason.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sagemaker_project_runtime.serving.transformation import PARTS, Categorical, Column, Date, Dropped, Numeric
from sagemaker_project_runtime.serving.values import DATE_FORMATS, MISSING, moment, number, shown

MOST_DISTINCT = 20_000  # distinct texts that are counted at a time
MOST_CATEGORIES = 255
NEARLY_ALL = 0.95  # of the values parse: the rest is noise and counts as missing
NEARLY_UNIQUE = 0.95  # of the values differ: an identifier, or free text
ID_NAME = re.compile(r"(^|[^a-z])(id|ids|uuid|guid|key|index|idx|rowid|rownum|rownames?|pk)$|[a-z](ID|Id|Key|Index)$")


class Numbers:
    """The cells of a column that are numbers. `unique` holds them while they are whole and no two rows share one."""

    def __init__(self) -> None:
        self.count = 0
        self.minimum = float("inf")
        self.maximum = float("-inf")
        self.unique: list[NDArray[np.float64]] | None = []

    def add(self, cells: Counter[str]) -> Counter[str]:
        """Take the numbers; what is none comes back, and infinities come back under ''."""
        found: list[float] = []
        words: Counter[str] = Counter()
        total = 0
        for text, count in cells.items():
            try:
                value = number(text)
            except ValueError:
                words[text] = count
                continue
            if value != value:
                words[""] += count
            else:
                found.append(value)
                total += count
        if found:
            self._extend(np.array(found), total)
        return words

    def _extend(self, values: NDArray[np.float64], count: int) -> None:
        self.count += count
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))
        if len(values) < count or not (values == np.floor(values)).all():
            self.unique = None
        elif self.unique is not None:
            self.unique.append(values)

    def all_different(self) -> bool:
        if not self.unique:
            return False
        values = np.concatenate(self.unique)
        return len(np.unique(values)) == len(values)

    def consecutive(self) -> bool:
        """Whether the numbers fill their range at least half: training rows are a sample of a numbering."""
        return self.maximum - self.minimum + 1 <= 2 * self.count


class Dates:
    """The cells of a column that are dates in one format, and how their parts vary."""

    def __init__(self, name: str) -> None:
        self.format = name
        self.count = 0
        self.parts: dict[str, set[float]] = {part: set() for part in PARTS}
        self.minimum = ""
        self.maximum = ""

    def add(self, cells: Counter[str]) -> None:
        for text, count in cells.items():
            try:
                at = moment(text, [self.format])
            except ValueError:
                continue
            if at is not None:
                self.count += count
                self._note(at.isoformat())
                for part, read in PARTS.items():
                    self.parts[part].add(read(at))

    def _note(self, at: str) -> None:
        self.minimum = min(self.minimum or at, at)
        self.maximum = max(self.maximum, at)

    def varying(self) -> tuple[str, ...]:
        return tuple(part for part, seen in self.parts.items() if len(seen) > 1)


class Profile:
    """What was seen of one column. `as_categories`: the configuration says so, so that its texts are always counted."""

    def __init__(self, name: str, as_categories: bool = False) -> None:
        self.name = name
        self.as_categories = as_categories
        self.count = 0
        self.missing = 0
        self.numbers = Numbers()
        self.words: list[str] = []  # a few cells that are no numbers, to quote
        self.dates: list[Dates] | None = None
        self.texts: Counter[str] | None = Counter()
        self.pruned_at: int | None = None

    def add(self, cells: Sequence[str]) -> None:
        self.count += len(cells)
        counts: Counter[str] = Counter()
        for cell, count in Counter(cells).items():
            counts[cell.strip()] += count
        for token in MISSING & counts.keys():
            self.missing += counts.pop(token)
        words = self.numbers.add(counts)
        self.missing += words.pop("", 0)
        self._add_words(words)
        self._add_texts(counts)

    def _add_words(self, words: Counter[str]) -> None:
        if not words:
            return
        self.words += islice(words, max(0, 3 - len(self.words)))
        if self.dates is None:
            sample = Counter(list(islice(words, 2000)))
            self.dates = [Dates(name) for name in DATE_FORMATS if _share(sample, name) >= 0.9]
        for dates in self.dates:
            dates.add(words)

    def _add_texts(self, counts: Counter[str]) -> None:
        if self.texts is None:
            return
        self.texts.update(counts)
        if len(self.texts) > MOST_DISTINCT:
            self.pruned_at = self.pruned_at or self.present
            keep = self.as_categories or self.numbers.count < self.present
            self.texts = Counter(dict(frequent(self.texts, MOST_DISTINCT // 2))) if keep else None

    @property
    def present(self) -> int:
        return self.count - self.missing

    @property
    def nearly_unique(self) -> bool:
        """Whether nearly every row has its own text, as far as texts are counted."""
        if self.pruned_at is not None:
            return NEARLY_UNIQUE * self.pruned_at <= MOST_DISTINCT
        return len(self.texts or ()) >= NEARLY_UNIQUE * self.present

    @property
    def constant(self) -> bool:
        one_text = self.texts is not None and len(self.texts) == 1 and self.pruned_at is None
        one_number = self.numbers.count == self.present and self.numbers.minimum == self.numbers.maximum
        return one_text or one_number

    @property
    def best_dates(self) -> Dates | None:
        return max(self.dates or [], key=lambda dates: dates.count, default=None)


def frequent(texts: Counter[str], most: int) -> list[tuple[str, int]]:
    """The most frequent texts; equal counts in the order of the alphabet, whatever the order of the file."""
    return sorted(texts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]


def _share(cells: Counter[str], name: str) -> float:
    dates = Dates(name)
    dates.add(cells)
    return dates.count / len(cells)


def decide(profile: Profile, named: str | None = None, is_time: bool = False) -> Column | Dropped:
    """What a column becomes. `named`: the kind that the configuration gives it, which also keeps identifiers."""
    kind = named or _kind(profile)
    if not profile.present:
        return Dropped(profile.name, kind, "all values are missing in the training rows")
    if profile.constant and not profile.missing:
        return Dropped(profile.name, kind, "it has the same value in all training rows")
    reason = None if named else _useless(profile, kind, is_time)
    if reason:
        return Dropped(profile.name, kind, reason)
    if kind == "date" and profile.best_dates:
        return _date(profile, profile.best_dates, is_time)
    return _numeric(profile) if kind == "numeric" else _categorical(profile)


def _kind(profile: Profile) -> str:
    share = profile.numbers.count / max(profile.present, 1)
    dates = profile.best_dates
    if dates and dates.count >= NEARLY_ALL * profile.present:
        return "date"
    enough = 0.5 if profile.texts is None or profile.nearly_unique else NEARLY_ALL
    return "numeric" if share >= enough else "categorical"


def _useless(profile: Profile, kind: str, is_time: bool) -> str | None:
    if is_time and kind == "numeric":
        return "it splits by time, and as a plain number its values will not come again"
    if kind == "categorical" and profile.nearly_unique:
        return "nearly every row has a value of its own: an identifier, or free text"
    if kind == "numeric" and profile.numbers.count == profile.present and profile.numbers.all_different():
        if ID_NAME.search(profile.name) or ID_NAME.search(profile.name.casefold()):
            return "whole numbers, different in every row, under the name of an identifier"
        if profile.numbers.consecutive():
            return "consecutive whole numbers, different in every row: a row number"
    return None


def _numeric(profile: Profile) -> Column | Dropped:
    numbers = profile.numbers
    if not numbers.count:
        found = ", ".join(shown(word) for word in profile.words)
        return Dropped(profile.name, "numeric", f"none of its values is a number (found {found})")
    lenient = numbers.count < profile.present
    missing = profile.missing > 0 or lenient
    return Numeric(profile.name, numbers.minimum, numbers.maximum, missing=missing, lenient=lenient)


def _categorical(profile: Profile) -> Categorical:
    texts = profile.texts or Counter()
    kept = [text for text, _ in frequent(texts, MOST_CATEGORIES)]
    other = len(texts) > len(kept) or profile.pruned_at is not None
    return Categorical(profile.name, tuple(sorted(kept)), other=other, missing=profile.missing > 0)


def _date(profile: Profile, dates: Dates, is_time: bool) -> Column | Dropped:
    """The year of the column that splits by time is left out: the years to come are not among those of training."""
    parts = tuple(part for part in dates.varying() if not (is_time and part == "year"))
    if not parts:
        return Dropped(profile.name, "date", "no part of the date varies in the training rows")
    lenient = dates.count < profile.present
    missing = profile.missing > 0 or lenient
    return Date(profile.name, (dates.format,), parts, dates.minimum, dates.maximum, missing=missing, lenient=lenient)


def note(profile: Profile, column: Column | Dropped) -> str | None:
    """What a person should know about a column that is kept."""
    if isinstance(column, Numeric) and column.lenient and profile.words:
        odd = profile.present - profile.numbers.count
        return f"{odd} values that are not numbers, such as {shown(profile.words[0])}, count as missing"
    if isinstance(column, Date):
        return f"read as {', '.join(column.formats)}; parts: {', '.join(column.parts)}"
    if isinstance(column, Categorical) and column.other:
        return f"the {len(column.categories)} most frequent values; rarer and unseen ones share a category"
    return None


def fit(profiles: Iterable[Profile], kinds: dict[str, str], time_column: str | None) -> list[Column | Dropped]:
    """Decide every column; `kinds` holds those that the configuration names."""
    return [decide(one, kinds.get(one.name), is_time=one.name == time_column) for one in profiles]
