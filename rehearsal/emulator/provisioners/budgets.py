"""AWS::Budgets::Budget, made with the API as whoever CloudFormation acts for."""

from typing import Any

from ..provisioning import Context, Properties, own_tags, provisioner
from ..service import account


@provisioner("AWS::Budgets::Budget", create_only=("NotificationsWithSubscribers",))
class Budget:
    """Ref is the budget's name."""

    def create(self, properties: Properties, context: Context) -> tuple[str, Properties]:
        budget = _budget(properties["Budget"])
        budget.setdefault("BudgetName", f"{context.stack_name}-{context.logical_id}")
        tags = own_tags(properties, "ResourceTags")
        context.client("budgets").create_budget(
            AccountId=account(),
            Budget=budget,
            NotificationsWithSubscribers=[_watch(item) for item in properties.get("NotificationsWithSubscribers", [])],
            **({"ResourceTags": tags} if tags else {}),
        )
        return budget["BudgetName"], {"Id": budget["BudgetName"]}

    def update(self, ref: str, old: Properties, new: Properties, context: Context) -> Properties:
        context.client("budgets").update_budget(
            AccountId=account(), NewBudget=_budget(new["Budget"]) | {"BudgetName": ref}
        )
        return {"Id": ref}

    def delete(self, ref: str, properties: Properties, context: Context) -> None:
        context.client("budgets").delete_budget(AccountId=account(), BudgetName=ref)


def _budget(given: Any) -> Properties:
    """The API has amounts as text, a template may have them as numbers."""
    budget = dict(given)
    if "BudgetLimit" in budget:
        limit = budget["BudgetLimit"]
        budget["BudgetLimit"] = {"Amount": str(limit["Amount"]), "Unit": limit["Unit"]}
    return budget


def _watch(given: Any) -> Properties:
    notification = dict(given["Notification"])
    notification["Threshold"] = float(notification["Threshold"])
    return {"Notification": notification, "Subscribers": [dict(item) for item in given["Subscribers"]]}
