"""Every joined template against the registry's schemas of every region, and who keeps a list of what they lack."""

import json
from pathlib import Path

import pytest

from service_catalog import joiner, release
from tests.infrastructure import regions
from tests.infrastructure.regions import Known

ROOT = Path(__file__).parents[2]
WRONG = """
Resources:
  Queue:
    Type: AWS::SQS::Queue
    Properties: {QueueNam: q}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      VersioningConfiguration: !If [A, {Statu: Enabled}, !Ref AWS::NoValue]
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """What the schemas say of the templates."""
    return regions.ask(tmp_path_factory.mktemp("regions") / "templates", regions.templates())


def test_every_region_that_knows_a_type_knows_what_we_say_of_it(known: Known) -> None:
    assert len(known.regions) > 40
    assert known.properties == []


def test_a_wrong_property_would_be_seen(tmp_path: Path) -> None:
    found = regions.ask(tmp_path, {"wrong.yaml": WRONG}).properties
    assert {(name, where) for _, name, where, _ in found} == {
        ("Queue", "/QueueNam"),
        ("Bucket", "/VersioningConfiguration/Statu"),
    }


@pytest.mark.parametrize("lacking", [(), ("Budgets",), ("CodeCommit",), ("Budgets", "CodeCommit")], ids=str)
def test_what_a_region_lacks_is_nowhere_in_its_template(lacking: tuple[str, ...]) -> None:
    """No type, and no reference to anything that was left out with it."""
    template = joiner.template("product.yaml", lacking=lacking)
    types = {str(resource["Type"]) for resource in template.resources.values()}
    left = {word for word, name in joiner.OPTIONAL.items() if name not in types}
    assert left == set(lacking)
    assert ("MonthlyBudget" in template.text) is ("Budgets" not in lacking)
    assert ("!GetAtt Repository." in template.text) is ("CodeCommit" not in lacking)


def test_what_is_optional_is_needed_by_nothing_that_deploys(known: Known) -> None:
    """Only the product is joined for a region: no other template may name such a type."""
    product, *others = release.templates()
    assert set(joiner.OPTIONAL.values()) <= set(known.unknown)
    assert [other.name for other in others for name in joiner.OPTIONAL.values() if name in other.text] == []
    assert product.name == "product.yaml"


def test_the_emulator_refuses_what_the_regions_do_not_know(known: Known) -> None:
    table = ROOT / "rehearsal" / "emulator" / "regions.json"
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(where)}" for name, where in known.unknown.items())
    assert table.read_text(encoding="utf-8") == "{\n" + rows + "\n}\n"


def test_the_guide_lists_the_regions(known: Known) -> None:
    assert regions.table(known) in (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
