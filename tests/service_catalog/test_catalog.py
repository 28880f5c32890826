"""Service Catalog's edges against strict stubs: what an emulator would not do to us."""

import json
from typing import Any

import pytest

from service_catalog.aws.catalog import Catalog, Product, Published
from service_catalog.errors import ProductError
from tests.service_catalog.stubs import NOON, Call, stubbed

PRODUCT = Product("prod-1", "Project")
FIRST = Published("1.0", "https://s3/template", "ab" * 32)
WISH = {"Name": "Project", "Owner": "us"}
NONE: Call = ("search_products_as_admin", None, {"ProductViewDetails": []})
GONE = ("ResourceNotFoundException", "Product not found", 404)


def made(id_: str) -> dict[str, Any]:
    return {"ProductViewDetail": {"ProductViewSummary": {"ProductId": id_}}}


def version(name: str, description: str = "", id_: str = "pa-1") -> dict[str, Any]:
    return {"Id": id_, "Name": name, "Description": description, "Active": True, "CreatedTime": NOON}


def test_a_token_that_brings_back_a_deleted_product_is_changed() -> None:
    tokens: list[str] = []
    calls: list[Call] = [
        NONE,
        ("create_product", None, made("prod-old")),
        ("describe_product_as_admin", {"Id": "prod-old"}, GONE),
        NONE,
        ("create_product", None, made("prod-new")),
        ("describe_product_as_admin", {"Id": "prod-new"}, {}),
    ]
    with stubbed("servicecatalog", *calls) as client:
        client.meta.events.register_first(
            "provide-client-params.service-catalog.CreateProduct",
            lambda params, **_: tokens.append(params["IdempotencyToken"]),
        )
        assert Catalog(client).ensure_product(WISH, FIRST) == Product("prod-new", "Project")
    assert len(set(tokens)) == 2


def test_a_product_that_never_appears_is_said() -> None:
    round_: list[Call] = [NONE, ("create_product", None, made("x")), ("describe_product_as_admin", None, GONE)]
    with stubbed("servicecatalog", *round_ * 5) as client, pytest.raises(ProductError, match="wait some minutes"):
        Catalog(client).ensure_product(WISH, FIRST)


def test_a_version_made_by_hand_counts_as_ours_only_if_its_template_is() -> None:
    for address, fits in ((f"https://s3/b/templates/{FIRST.sha256[:16]}/product.yaml", True), ("https://s3/x", False)):
        calls: list[Call] = [
            ("list_provisioning_artifacts", None, {"ProvisioningArtifactDetails": [version("1.0")]}),
            ("describe_provisioning_artifact", None, {"Info": {"TemplateUrl": address}}),
        ]
        with stubbed("servicecatalog", *calls) as client:
            if fits:
                assert Catalog(client).ensure_version(PRODUCT, FIRST).id == "pa-1"
            else:
                with pytest.raises(ProductError, match="already published with other content"):
                    Catalog(client).ensure_version(PRODUCT, FIRST)


def test_two_versions_of_one_name_are_refused() -> None:
    both = {"ProvisioningArtifactDetails": [version("1.0"), version("1.0", id_="pa-2")]}
    calls: Call = ("list_provisioning_artifacts", None, both)
    with (
        stubbed("servicecatalog", calls) as client,
        pytest.raises(ProductError, match=r"2 versions named 1.0 .*pa-1, pa-2"),
    ):
        Catalog(client).ensure_version(PRODUCT, FIRST)


def constraint(role: str) -> list[Call]:
    detail = {"ConstraintId": "cons-1", "Type": "LAUNCH"}
    parameters = {"ConstraintParameters": json.dumps({"RoleArn": role})}
    return [
        ("list_constraints_for_portfolio", None, {"ConstraintDetails": [{"Type": "TEMPLATE"}, detail]}),
        ("describe_constraint", {"Id": "cons-1"}, parameters),
    ]


def test_a_constraint_with_another_role_is_changed() -> None:
    update: Call = ("update_constraint", {"Id": "cons-1", "Parameters": '{"RoleArn": "new"}'}, {})
    with stubbed("servicecatalog", *constraint("old"), update) as client:
        Catalog(client).ensure_launch_role("port-1", PRODUCT, "new")


def test_a_constraint_that_somebody_else_made_meanwhile_is_as_good() -> None:
    calls: list[Call] = [
        ("list_constraints_for_portfolio", None, {"ConstraintDetails": []}),
        ("create_constraint", None, ("DuplicateResourceException", "exists", 400)),
    ]
    with stubbed("servicecatalog", *calls) as client:
        Catalog(client).ensure_launch_role("port-1", PRODUCT, "role")


def test_a_product_that_one_may_not_launch_is_said() -> None:
    pages: list[Call] = [
        (
            "search_products",
            {"Filters": {"FullTextSearch": ["Project"]}},
            {"ProductViewSummaries": [{"Name": "Project 2"}], "NextPageToken": "t"},
        ),
        (
            "search_products",
            {"Filters": {"FullTextSearch": ["Project"]}, "PageToken": "t"},
            {"ProductViewSummaries": []},
        ),
    ]
    with stubbed("servicecatalog", *pages) as client, pytest.raises(ProductError, match="your role is no principal"):
        Catalog(client).offered("Project")


@pytest.mark.parametrize("names", [[], ["one", "two"]])
def test_a_product_must_be_offered_in_one_way(names: list[str]) -> None:
    paths = {"LaunchPathSummaries": [{"Id": name, "Name": name} for name in names]}
    with stubbed("servicecatalog", ("list_launch_paths", None, paths)) as client, pytest.raises(ProductError) as caught:
        Catalog(client).path(PRODUCT)
    assert f"through {len(names)} portfolios ({', '.join(names) or 'none'})" in str(caught.value)
