"""The templates are joined from parts: all of them, once each, the same every time, and for each stage alike."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from service_catalog import __main__, joiner
from service_catalog.errors import SourceError
from service_catalog.stages import IN_ORDER, Stage
from service_catalog.template import read
from tests.infrastructure.house.text import SECTIONS, it_is_short_enough, lines_are_short

PARTS = sorted(path.relative_to(joiner.FOLDER).as_posix() for path in joiner.FOLDER.rglob("*.yaml"))
JOINED = {name: joiner.template(name) for name in joiner.NAMES}
THIRD = Stage("preprod", "Rehearsal", "Tests the endpoint of the rehearsal", approval="ApproveRehearsal")


# --- our parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", PARTS)
def test_a_part_can_be_read(part: str) -> None:
    assert list(it_is_short_enough((joiner.FOLDER / part).read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("part", PARTS)
def test_all_that_a_part_says_is_in_a_template(part: str) -> None:
    """Comments too: each line stands, its words filled in, in every template that takes the part."""
    lines = (joiner.FOLDER / part).read_text(encoding="utf-8").splitlines()
    said = [line.strip() for line in lines if not re.fullmatch(r"\s*# (for each .+|if people .+|end)", line)]
    texts = [template.text for template in JOINED.values() if f"  # {part}\n" in template.text]
    assert texts
    for text in texts:
        there = {line.strip() for line in text.splitlines()}
        rest = [re.sub(r"<\w+>", ".+", re.escape(line)) for line in said if line not in there]
        assert [line for line in rest if not any(re.fullmatch(line, each) for each in there)] == []


@pytest.mark.parametrize("name", joiner.NAMES)
def test_a_template_is_the_same_text_every_time(name: str, tmp_path: Path) -> None:
    """Wherever the parts lie, and in whatever order a file system lists them."""
    for path in sorted(joiner.FOLDER.rglob("*"), reverse=True):
        if path.is_file():
            (tmp_path / path.relative_to(joiner.FOLDER)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / path.relative_to(joiner.FOLDER))
    assert joiner.template(name, tmp_path) == JOINED[name]


@pytest.mark.parametrize("name", joiner.NAMES)
def test_a_template_is_for_people_too(name: str) -> None:
    text = JOINED[name].text
    assert list(lines_are_short(text)) == []
    assert [section for section in SECTIONS if section in JOINED[name].document] == list(JOINED[name].document)
    assert not re.search(r"# for each|# if people|# end$|<[Ss]tage>|<[Tt]itle>", text, re.MULTILINE)


def test_a_person_gets_the_templates_as_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joiner, "BUILT", tmp_path / "templates")
    assert __main__.main(["templates"]) == 0
    assert {path.name: path.read_text("utf-8") for path in (tmp_path / "templates").iterdir()} == {
        name: template.text for name, template in JOINED.items()
    }


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


# --- what is refused -------------------------------------------------------------------------------------------------

FORM = 'AWSTemplateFormatVersion: "2010-09-09"\nDescription: A template\n\n# Why\nParameters:\n  Size: {Type: String}\n'
TOPIC = "Resources:\n  Topic: {Type: AWS::SNS::Topic}\n"


def join(folder: Path, **parts: str) -> str:
    """A template of two parts, or of others."""
    texts = {"form": FORM, "topic": TOPIC, **parts}
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    listed = ", ".join(f'"{name}.yaml"' for name in texts)
    (folder / "parts.toml").write_text(f'["t.yaml"]\nparts = [{listed}]\n', encoding="utf-8")
    return joiner.template("t.yaml", folder).text


def test_parts_are_joined_section_by_section_with_their_comments(tmp_path: Path) -> None:
    more = "# What goes wrong\nResources:\n  # for each stage\n  <Stage>Queue: {Type: Q}\n  # end\n# last\n"
    assert join(tmp_path, more=more).partition("\n")[2] == (
        'AWSTemplateFormatVersion: "2010-09-09"\nDescription: A template\n\n'
        "Parameters:\n  # form.yaml\n  # Why\n  Size: {Type: String}\n\n"
        "Resources:\n  # topic.yaml\n  Topic: {Type: AWS::SNS::Topic}\n\n"
        "  # more.yaml\n  # What goes wrong\n  StagingQueue: {Type: Q}\n"
        "  ProdQueue: {Type: Q}\n  # last\n"
    )


def test_what_means_no_stage_stays(tmp_path: Path) -> None:
    """A message's <pipeline>, a variable of CloudFormation, a condition."""
    text = "Resources:\n  Rule: {Type: A, Say: !Sub '<pipeline> of ${Size} failed', Less: 1 < 2}\n"
    rule = read(join(tmp_path, more=text))["Resources"]["Rule"]
    assert rule == {"Type": "A", "Say": {"Fn::Sub": "<pipeline> of ${Size} failed"}, "Less": "1 < 2"}


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"more": TOPIC}, r"Topic stands in topic.yaml \(Resources\) and in more.yaml \(Resources\), and t.yaml can"),
        ({"more": "Resources:\n  Size: {}\n"}, r"Size stands in form.yaml \(Parameters\) and in more.yaml \(Re"),
        ({"topic": TOPIC + "  Topic: {}\n"}, r"Topic stands twice in topic.yaml \(Resources\).*<Stage> in its name"),
        ({"topic": "Resources:\n  # for each stage\n  Topic: {}\n  # end\n"}, r"Topic stands twice in topic.yaml"),
        ({"more": "Description: Another\n"}, r"Description stands in form.yaml .* and in more.yaml \(Description\)"),
        ({"more": "Resource:\n  A: {}\n"}, r"more.yaml: .*no section 'Resource'; did you mean 'Resources'\?"),
        ({"more": "Outputs: {}\n"}, r"more.yaml: write what Outputs holds below it"),
        ({"more": "Outputs:\n"}, r"more.yaml: write what Outputs holds below it"),
        ({"more": TOPIC + TOPIC}, r"more.yaml: the section Resources stands there twice"),
        ({"more": "# nothing\n"}, r"more.yaml contributes to no section"),
        ({"more": "Outputs:\n  A: [\n"}, r"more.yaml is not YAML, its blocks written out: (.|\n)*line"),
        ({"more": "Outputs:\n  # for each stage\n  A: 1\n"}, r"more.yaml, line 2: .*'for each stage' needs a line"),
        ({"more": "Outputs:\n  A: 1\n  # end\n"}, r"more.yaml, line 3: this # end belongs to no block"),
        ({"more": "Outputs:\n  # for each stge\n  # end\n"}, r"line 2: .*no block 'for each stge'; did you mean"),
        ({"more": "Outputs:\n  <Stage>: 1\n"}, r"line 2: <Stage> is no word here, and stands outside of a block"),
        ({"more": "Outputs:\n  # for each stage\n  <Stge>: 1\n  # end\n"}, r"line 3: <Stge> is no word here; did you"),
        ({"more": "Outputs:\n  # for each stage\n  <Previous>: 1\n  # end\n"}, r"line 3: <Previous> is no word here"),
        ({"more": "Outputs:\n  # if people approve it\n  A: 1\n  # end\n"}, r"line 2: 'if people approve it' must"),
    ],
)  # fmt: skip
def test_a_part_that_makes_no_template_is_refused_with_its_name(
    parts: dict[str, str], says: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=says):
        join(tmp_path, **parts)


def test_a_part_of_no_template_and_a_part_that_is_missing_are_refused(tmp_path: Path) -> None:
    join(tmp_path)
    (tmp_path / "spare.yaml").write_text(TOPIC, encoding="utf-8")
    with pytest.raises(SourceError, match=r"spare.yaml is part of no template: name it in parts.toml"):
        joiner.template("t.yaml", tmp_path)
    (tmp_path / "spare.yaml").rename(tmp_path / "topics.yaml")
    (tmp_path / "topic.yaml").unlink()
    with pytest.raises(SourceError, match=r"parts.toml names topic.yaml, and there is no such file.*'topics.yaml'\?"):
        joiner.template("t.yaml", tmp_path)
