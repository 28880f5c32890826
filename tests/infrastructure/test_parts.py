"""The parts of the joined templates: short, all used, the same text every time, and each stage like the other."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from service_catalog import joiner
from service_catalog.stages import IN_ORDER, Stage
from tests.infrastructure.house.text import SECTIONS, it_is_short_enough, lines_are_short

PARTS = sorted(path.relative_to(joiner.FOLDER).as_posix() for path in joiner.FOLDER.rglob("*.yaml"))
JOINED = {name: joiner.template(name) for name in joiner.NAMES}
LACKING = joiner.template("product.yaml", lacking=tuple(joiner.OPTIONAL)).text
# What a template itself writes between < and >: variables of EventBridge's messages, and a comment.
IN_MESSAGES = {"pipeline", "execution", "log", "project"}
THIRD = Stage("preprod", "Rehearsal", "Tests the endpoint of the rehearsal", approval="ApproveRehearsal")


# --- our parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_a_part_can_be_read(part: str) -> None:
    assert list(it_is_short_enough((joiner.FOLDER / part).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("part", PARTS)
def test_all_that_a_part_says_is_in_a_template(part: str) -> None:
    """Comments too: each line stands, its words filled in, in every template that takes the part."""
    lines = (joiner.FOLDER / part).read_text(encoding="utf-8").splitlines()
    said = [
        line.strip() for line in lines if not re.fullmatch(r"\s*# (for each .+|if (people|the region) .+|end)", line)
    ]
    texts = [template.text for template in JOINED.values() if f"  # {part}\n" in template.text]
    assert texts
    for text in texts:
        there = {line.strip() for line in (text + LACKING * (text == JOINED["product.yaml"].text)).splitlines()}
        rest = [re.sub(r"<\w+>", ".+", re.escape(line)) for line in said if line not in there]
        assert [line for line in rest if not any(re.fullmatch(line, each) for each in there)] == []


@pytest.mark.parametrize("name", joiner.NAMES)
def test_a_template_is_the_same_text_every_time(name: str, tmp_path: Path) -> None:
    """Wherever the parts lie, and in whatever order a file system lists them."""
    files = [path for path in joiner.FOLDER.rglob("*") if path.is_file()]
    for path in sorted(files, reverse=True):
        (tmp_path / path.relative_to(joiner.FOLDER)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(joiner.FOLDER))
    assert joiner.template(name, tmp_path) == JOINED[name]


@pytest.mark.parametrize("name", joiner.NAMES)
def test_a_template_is_for_people_too(name: str) -> None:
    text = JOINED[name].text
    assert list(lines_are_short(text)) == []
    assert [section for section in SECTIONS if section in JOINED[name].document] == list(JOINED[name].document)
    assert not re.search(r"# for each|# if people|# end$", text, re.MULTILINE)
    assert set(re.findall(r"<(\w+)>", text)) <= IN_MESSAGES


# --- the stages ------------------------------------------------------------------------------------------------------


def test_a_stage_has_a_name_that_fits_everywhere() -> None:
    """Budgets of roles and stacks count 7 characters (names.py); a logical id takes letters and digits."""
    names, titles = [stage.name for stage in IN_ORDER], [stage.title for stage in IN_ORDER]
    assert all(re.fullmatch(r"[a-z]{1,7}", name) for name in names)
    assert all(re.fullmatch(r"[A-Z][a-z]+", title) for title in titles)
    assert len({*names}) == len({*titles}) == len(IN_ORDER)
    assert not IN_ORDER[0].approval, "nothing ran before the first stage that people could have seen"


def nameless(value: Any, own: Stage, stages: Sequence[Stage] = IN_ORDER) -> Any:
    """The same for whichever stage it is: its words, those of the others, and no order where both are listed."""
    text = json.dumps(value)
    for stage in stages:
        kind = "own" if stage == own else "other"
        text = text.replace(stage.tests, "<tests>")
        for word in (stage.title, stage.words["Stage"]):
            text = re.sub(rf"{word}(?![a-z])", f"<{kind}>", text)
        for word in (stage.title.lower(), stage.name, stage.name.upper()):
            text = re.sub(rf"(?<![a-zA-Z]){word}(?![a-zA-Z])", f"<{kind}>", text)
    return unordered(json.loads(text))


def unordered(value: Any) -> Any:
    """The same for whatever order its lists have."""
    if isinstance(value, dict):
        return {key: unordered(each) for key, each in value.items()}
    return sorted(map(unordered, value), key=json.dumps) if isinstance(value, list) else value


def own(document: dict[str, Any], section: str, stage: Stage, stages: Sequence[Stage] = IN_ORDER) -> dict[str, Any]:
    """What a section of the product defines for one stage."""
    pattern = rf"(Verify|Has)?({stage.words['Stage']}|{stage.title})(?![a-z]).*"
    found = {name: body for name, body in document[section].items() if re.fullmatch(pattern, name)}
    one: dict[str, Any] = nameless(found, stage, stages)
    return one


@pytest.mark.parametrize("section", ["Parameters", "Conditions", "Resources"])
def test_the_stages_are_equal_up_to_their_names(section: str) -> None:
    """A stage needs its account, its builds, its logs; one that lacks one of them, or has another, is noticed."""
    document = JOINED["product.yaml"].document
    stages = [own(document, section, stage) for stage in IN_ORDER]
    assert stages[0]
    assert all(stage == stages[0] for stage in stages)
    assert section != "Resources" or len(stages[0]) == 4


def test_the_stages_are_deployed_alike_but_for_what_people_do() -> None:
    pipeline = JOINED["product.yaml"].resources["DeployPipeline"]["Properties"]["Stages"]
    by_name = {each["Name"]: each for each in pipeline}
    actions = []
    for stage in IN_ORDER:
        own_actions = [each for each in by_name[stage.title]["Actions"] if each["Name"] != "Confirm"]
        assert (len(own_actions) < len(by_name[stage.title]["Actions"])) is bool(stage.approval)
        first = int(own_actions[0]["RunOrder"])
        ordered = [{**each, "RunOrder": int(each["RunOrder"]) - first} for each in own_actions]
        actions.append(nameless(ordered, stage))
    assert all(each == actions[0] for each in actions)
    approvals = [stage.approval for stage in IN_ORDER if stage.approval]
    order = [name for stage in IN_ORDER for name in (stage.approval, stage.title) if name]
    assert [each["Name"] for each in pipeline] == ["Source", "Release", *order]
    assert approvals, "nobody would be asked before production"


@pytest.mark.parametrize("name", joiner.NAMES)
def test_a_third_stage_is_data(name: str) -> None:
    """It adds its own, changes what the two have by nothing, and all that is referred to is there."""
    three = (IN_ORDER[0], THIRD, *IN_ORDER[1:])
    document = joiner.template(name, stages=three).document
    defined = document["Parameters"].keys() | document["Resources"].keys()
    assert {each for each in references(document) if "::" not in each} <= defined
    if name == "product.yaml":
        for section in ("Parameters", "Conditions", "Resources"):
            assert own(document, section, THIRD, three) == own(document, section, IN_ORDER[0], three)
        assert document["Resources"].keys() - JOINED[name].resources.keys() == {
            "Rehearsal", "VerifyPreprod", "VerifyPreprodLog", "VerifyPreprodReports"
        }  # fmt: skip
    else:
        assert document["Resources"].keys() == JOINED[name].resources.keys()


def references(value: Any) -> set[str]:
    """The logical ids that Ref, GetAtt and Sub name (variables that a Sub brings along left out)."""
    if isinstance(value, list):
        return {found for each in value for found in references(each)}
    if not isinstance(value, dict):
        return set()
    found = {value["Ref"]} if isinstance(value.get("Ref"), str) else set()
    found |= {value["Fn::GetAtt"][0]} if "Fn::GetAtt" in value else set()
    if (sub := value.get("Fn::Sub")) is not None:
        text, brought = sub if isinstance(sub, list) else (sub, {})
        found |= {each.partition(".")[0] for each in re.findall(r"\$\{([\w:.]+)\}", text)} - brought.keys()
    return found.union(*map(references, value.values()))
