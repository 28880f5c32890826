"""How parts become a template, and which parts are refused: with the name of the part, and of the other one."""

from pathlib import Path

import pytest

from service_catalog import __main__, joiner
from service_catalog.errors import SourceError
from service_catalog.template import read

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


def test_a_person_gets_the_templates_as_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joiner, "BUILT", tmp_path / "templates")
    assert __main__.main(["templates"]) == 0
    assert {path.name: path.read_text("utf-8") for path in (tmp_path / "templates").iterdir()} == {
        name: joiner.template(name).text for name in joiner.NAMES
    }
