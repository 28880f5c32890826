"""The one place where a template is joined from its parts in templates/, as parts.toml lists them.

A part is a fragment of CloudFormation: the sections that it contributes to, with their comments. What every stage needs
stands once in it, between two comments, and is written for each stage of stages.py:

    # for each stage                        <stage> <Stage> <STAGE> <title> <Title> …: Stage.words; of the stage before
                                            it <Previous>, <PreviousTitle> …
    # for each stage and an earlier one     each such pair; of the earlier one <other>, <Other>, <OtherTitle> …
    # for each stage and another            each pair, either way round
    # for each further bucket               <Nth> Second, Third …, <position> 1, 2 …: of the list DataBucket
    # if people approve it                  within such a block, for the stages where they do
    # if the region has CodeCommit          what names a type of OPTIONAL, which not every region knows: CloudFormation
    # if the region lacks CodeCommit        refuses the whole template there, whatever the resource's Condition says
    # end

There is no other logic: what cannot be said so is a part of its own, or a field of Stage. The rules for names and tags
are written in too, between < and > like the words of a stage: patterns.WORDS.
`make templates` writes the joined files to build/templates/, for people.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import yaml

from scripts.bake import ROOT
from service_catalog import patterns
from service_catalog.errors import SourceError, nearest
from service_catalog.stages import IN_ORDER, Stage
from service_catalog.template import Template

FOLDER = Path(__file__).parent / "templates"
BUILT = ROOT / "build" / "templates"
NAMES = ("product.yaml", "portfolio.yaml", "stage.yaml")
# What a project does without where a region does not know the type: the word of the blocks, and the type.
OPTIONAL = {"CodeCommit": "AWS::CodeCommit::Repository", "Budgets": "AWS::Budgets::Budget"}
# "Template anatomy" in the CloudFormation user guide; the order is this repository's.
SCALARS = ("AWSTemplateFormatVersion", "Description")
SECTIONS = (*SCALARS, "Metadata", "Parameters", "Mappings", "Rules", "Conditions", "Resources", "Outputs")

_OPENS = re.compile(r"\s*# (for each .+|if people approve it|if the region .+)")
_ENDS = re.compile(r"\s*# end")
_WORD = re.compile(r"<(\w+)>")
_SECTION = re.compile(r"([A-Za-z]\w*):(.*)")
_APPROVED = "if people approve it"
_REGIONS = {f"if the region {verb} {word}" for verb in ("has", "lacks") for word in OPTIONAL}


@dataclass
class Block:
    """Lines of a part with their numbers, and blocks between them; `kind` says how often they are written."""

    kind: str
    line: int = 0
    body: list["tuple[int, str] | Block"] = field(default_factory=list)

    def without(self, kinds: Collection[str]) -> "Block":
        """The same, but for the blocks of these kinds within it."""
        left = (one for one in self.body if isinstance(one, tuple) or one.kind not in kinds)
        return replace(self, body=[one if isinstance(one, tuple) else one.without(kinds) for one in left])


@dataclass
class Piece:
    """What a part contributes to a section: its lines, and the names that they define."""

    section: str
    part: str
    lines: list[str] = field(default_factory=list)
    names: tuple[str, ...] = ()


def template(
    name: str, folder: Path = FOLDER, stages: Sequence[Stage] = IN_ORDER, lacking: Collection[str] = ()
) -> Template:
    """One of NAMES, joined for a region that lacks some of OPTIONAL's words: the same parts give the same bytes.

    Raises SourceError.
    """
    left_out = {f"if the region {'has' if word in lacking else 'lacks'} {word}" for word in OPTIONAL}
    listed = _listed(folder)[name]
    pieces: list[Piece] = []
    for part in listed["parts"]:
        block = _parsed(part, (folder / part).read_text(encoding="utf-8")).without(left_out)
        words = {**patterns.WORDS, **listed.get("words", {})}
        pieces += _pieces(part, list(_written(part, block, words, stages)))
    _require_unique(name, pieces)
    text = "# Joined from the files below service_catalog/templates/ that are named above what comes from each.\n"
    for section in SECTIONS:
        text += _joined(section, [piece for piece in pieces if piece.section == section])
    return Template(name, text)


def write(folder: Path) -> list[Path]:
    """All templates into a folder, for people to look at. Raises SourceError."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in NAMES]
    for path in paths:
        path.write_text(template(path.name).text, encoding="utf-8")
    return paths


def _listed(folder: Path) -> dict[str, dict[str, Any]]:
    """Template to parts and words. Raises SourceError for a part that is missing, or that no template takes."""
    listed = tomllib.loads((folder / "parts.toml").read_text(encoding="utf-8"))
    named = {part for one in listed.values() for part in one["parts"]}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml")}
    for part in sorted(named - present):
        raise SourceError(f"parts.toml names {part}, and there is no such file in {folder}{nearest(part, present)}")
    for part in sorted(present - named):
        raise SourceError(f"{folder / part} is part of no template: name it in parts.toml, or delete it.")
    return listed


# --- blocks ----------------------------------------------------------------------------------------------------------


def _parsed(part: str, text: str) -> Block:
    """A part as a tree of blocks. Raises SourceError for one that is not closed, or of no known kind."""
    stack = [Block("")]
    for number, line in enumerate(text.splitlines(), 1):
        if opens := _OPENS.fullmatch(line):
            known = {*_KINDS, *_REGIONS, _APPROVED}
            if (kind := opens[1]) not in known:
                raise SourceError(f"{part}, line {number}: there is no block {kind!r}{nearest(kind, known)}")
            block = Block(kind, number)
            stack[-1].body.append(block)
            stack.append(block)
        elif not _ENDS.fullmatch(line):
            stack[-1].body.append((number, line))
        elif len(stack) == 1:
            raise SourceError(f"{part}, line {number}: this # end belongs to no block.")
        else:
            stack.pop()
    if len(stack) > 1:
        raise SourceError(f"{part}, line {stack[-1].line}: the block {stack[-1].kind!r} needs a line # end.")
    return stack[0]


def _written(
    part: str, block: Block, words: Mapping[str, str], stages: Sequence[Stage], *, inside: bool = False
) -> Iterator[str]:
    """The lines of a block, written as often as each block in it asks for. Raises SourceError.

    `inside` one for stages, every word between < and > must be known.
    """
    for one in block.body:
        if isinstance(one, tuple):
            yield _filled(part, one, words, inside=inside)
        elif one.kind in _REGIONS:
            yield from _written(part, one, words, stages, inside=inside)
        elif one.kind != _APPROVED:
            for more in _KINDS[one.kind](stages):
                yield from _written(part, one, {**words, **more}, stages, inside=True)
        elif "approval" not in words:
            raise SourceError(f"{part}, line {one.line}: {one.kind!r} must stand within a block for each stage.")
        elif words["approval"]:
            yield from _written(part, one, words, stages, inside=True)


def _filled(part: str, numbered: tuple[int, str], words: Mapping[str, str], *, inside: bool) -> str:
    """A line with the words of its stage; outside of blocks < and > may mean something else."""
    number, line = numbered
    for word in _WORD.findall(line):
        if word not in words and (inside or word in _EVERY_WORD):
            where = "" if inside else ", and stands outside of a block for each stage"
            raise SourceError(f"{part}, line {number}: <{word}> is no word here{where}{nearest(word, words)}")
    return _WORD.sub(lambda found: words.get(found[1], found[0]), line)


def _each(stages: Sequence[Stage]) -> Iterator[dict[str, str]]:
    for number, stage in enumerate(stages):
        previous = _other("Previous", stages[number - 1]) if number else {}
        yield {**stage.words, **previous}


def _other(prefix: str, stage: Stage) -> dict[str, str]:
    words = stage.words
    return {prefix.lower(): words["stage"], prefix: words["Stage"], f"{prefix}Title": words["Title"]}


_KINDS: dict[str, Callable[[Sequence[Stage]], Iterator[dict[str, str]]]] = {
    "for each stage": _each,
    "for each stage and an earlier one": lambda stages: (
        {**later.words, **_other("Other", earlier)} for earlier, later in combinations(stages, 2)
    ),
    "for each stage and another": lambda stages: (
        {**one.words, **_other("Other", other)} for one, other in permutations(stages, 2)
    ),
    "for each further bucket": lambda _: (
        {"Nth": nth, "position": str(position)} for position, nth in enumerate(patterns.FURTHER, 1)
    ),
}
_EVERY_WORD = {word for turns in _KINDS.values() for words in turns(IN_ORDER) for word in words}


# --- sections --------------------------------------------------------------------------------------------------------


def _pieces(part: str, lines: Sequence[str]) -> list[Piece]:
    """What a part contributes. Comments above a section's name go into the section. Raises SourceError."""
    pieces: list[Piece] = []
    above: list[str] = []
    for line in lines:
        if found := _SECTION.fullmatch(line):
            above = [f"  {comment}" for comment in above] if found[1] not in SCALARS else above
            pieces.append(Piece(found[1], part, above + [line] * (found[1] in SCALARS)))
            above = []
        elif line.startswith("#"):
            above.append(line)
        elif pieces:
            pieces[-1].lines += [*(f"  {comment}" for comment in above), line]
            above = []
    if pieces:
        pieces[-1].lines += [f"  {comment}" for comment in above]
    names = _names(part, "\n".join(lines))
    for piece in pieces:
        piece.names = names[piece.section]
    return pieces


def _names(part: str, text: str) -> dict[str, tuple[str, ...]]:
    """What each section of a part defines. Raises SourceError for what is no fragment of CloudFormation."""
    try:
        document = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise SourceError(f"{part} is not YAML, its blocks written out: {error}") from None
    names: dict[str, tuple[str, ...]] = {}
    for key, value in document.value if isinstance(document, yaml.MappingNode) else ():
        if key.value not in SECTIONS:
            raise SourceError(f"{part}: CloudFormation has no section {key.value!r}{nearest(key.value, SECTIONS)}")
        if key.value in names:
            raise SourceError(f"{part}: the section {key.value} stands there twice; make it one.")
        if key.value in SCALARS:
            names[key.value] = (key.value,)
        elif isinstance(value, yaml.MappingNode) and not value.flow_style:
            names[key.value] = tuple(name.value for name, _ in value.value)
        else:
            raise SourceError(f"{part}: write what {key.value} holds below it, each name on a line of its own.")
    if not names:
        raise SourceError(f"{part} contributes to no section of a template: delete it, or give it one.")
    return names


def _require_unique(name: str, pieces: Sequence[Piece]) -> None:
    """Raises SourceError for a name that stands twice; parameters and resources share theirs."""
    found: dict[tuple[str, str], Piece] = {}
    for piece in pieces:
        space = "Resources" if piece.section == "Parameters" else piece.section
        for one in piece.names:
            first = found.setdefault((space, one), piece)
            if first is not piece:
                where = f"in {first.part} ({first.section}) and in {piece.part} ({piece.section})"
                raise SourceError(f"{one} stands {where}, and {name} can have only one: rename it or take one away.")
        if twice := sorted({one for one in piece.names if piece.names.count(one) > 1}):
            raise SourceError(
                f"{twice[0]} stands twice in {piece.part} ({piece.section}), and {name} can have only one. What is "
                f"written for each stage needs <Stage> in its name."
            )


def _joined(section: str, pieces: Sequence[Piece]) -> str:
    """A section of a template, each part below a line with its name."""
    if section in SCALARS or not pieces:
        return "".join("\n".join(piece.lines).rstrip() + "\n" for piece in pieces)
    texts = (f"  # {piece.part}\n" + "\n".join(piece.lines).strip("\n").rstrip() for piece in pieces)
    return f"\n{section}:\n" + "\n\n".join(texts) + "\n"
