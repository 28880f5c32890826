"""A pipeline definition as a picture: Mermaid for documents, a tree for the terminal. Reads the JSON only."""

from collections.abc import Iterator
from typing import Any

from rich.tree import Tree

from sagemaker_project_kit.pipeline.validation import find_references, own_arguments, walk_steps

Json = Any
SHAPES = {"Condition": ("{", "}"), "Fail": ("[/", "/]"), "RegisterModel": ("[(", ")]")}
COLOURS = {"Condition": "yellow", "Fail": "red", "RegisterModel": "green"}


def mermaid(definition: dict[str, Json]) -> str:
    """The graph in Mermaid's flowchart language."""
    lines = ["flowchart TD"]
    for step in walk_steps(definition["Steps"]):
        opening, closing = SHAPES.get(step["Type"], ("[", "]"))
        lines.append(f'    {step["Name"]}{opening}"{step["Name"]}<br/><small>{step["Type"]}</small>"{closing}')
    lines += [f"    {before} -->{_label(label)} {after}" for before, after, label in edges(definition)]
    return "\n".join(lines) + "\n"


def tree(definition: dict[str, Json], title: str) -> Tree:
    """The steps in the order in which they can run, the branches of each condition below it."""
    root = Tree(f"[bold]{title}[/bold]")
    _grow(root, definition["Steps"])
    return root


def edges(definition: dict[str, Json]) -> list[tuple[str, str, str]]:
    """(before, after, label): data dependencies, DependsOn and branches of conditions, without what others imply."""
    steps = list(walk_steps(definition["Steps"]))
    direct = {step["Name"]: set(dependencies(step)) for step in steps}
    branches = [branch for step in steps if step["Type"] == "Condition" for branch in _branches(step)]
    for condition, name, _ in branches:
        direct[name].add(condition)
    labels = {(condition, name): label for condition, name, label in branches}
    kept = [
        (before, name)
        for name, befores in direct.items()
        for before in sorted(befores)
        if not _implied(before, befores, direct)
    ]
    return [(before, after, labels.get((before, after), "")) for before, after in kept]


def dependencies(step: Json) -> Iterator[str]:
    """The steps whose output a step reads, or that it names in DependsOn."""
    for reference in find_references(own_arguments(step)):
        if reference.startswith("Steps."):
            yield reference.split(".")[1]
    yield from step.get("DependsOn", [])


def _branches(condition: Json) -> Iterator[tuple[str, str, str]]:
    for key, label in (("IfSteps", "yes"), ("ElseSteps", "no")):
        for step in condition["Arguments"].get(key, []):
            yield condition["Name"], step["Name"], label


def _implied(before: str, befores: set[str], direct: dict[str, set[str]]) -> bool:
    """Whether `before` is reached through another of the steps that come before."""
    return any(before in _ancestors(other, direct) for other in befores if other != before)


def _ancestors(name: str, direct: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for before in direct.get(waiting.pop(), set()) - found:
            found.add(before)
            waiting.append(before)
    return found


def _label(label: str) -> str:
    return f"|{label}|" if label else ""


def _grow(parent: Tree, steps: list[Json]) -> None:
    for step in steps:
        colour = COLOURS.get(step["Type"], "cyan")
        after = ", ".join(sorted(set(dependencies(step))))
        branch = parent.add(
            f"[{colour}]{step['Name']}[/{colour}] [dim]{step['Type']}{f' ← {after}' if after else ''}[/dim]"
        )
        for key, label in (("IfSteps", "yes"), ("ElseSteps", "no")):
            if inner := step["Arguments"].get(key):
                _grow(branch.add(f"[dim]{label}[/dim]"), inner)
