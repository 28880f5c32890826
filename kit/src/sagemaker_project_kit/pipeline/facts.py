"""What the team's model_build/model.py says about itself, read from its text: nothing is imported, no framework needed.

It refuses facts that are not plain values, and a file without the functions that the jobs call.
"""

import ast
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sagemaker_project_kit.pipeline.tables import Model

FILE = "model.py"
# Stands for the facts of a file that is refused, so that the other problems are told with it.
NONE = Model(framework="", image="", image_version="")
FUNCTIONS = ("train", "save", "load", "predict")


def read(path: Path) -> tuple[Model | None, list[str]]:
    """The facts in the file, or what is wrong with them, as sentences."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        return None, [f"model_build/{FILE} is missing: it is the model, with {', '.join(FUNCTIONS)}"]
    except (SyntaxError, UnicodeDecodeError) as error:
        return None, [f"model_build/{FILE} is not valid Python: {error}"]
    facts, problems = _facts(tree)
    if missing := [name for name in FUNCTIONS if name not in _defined(tree)]:
        problems.append(f"model_build/{FILE}: has no function {', '.join(missing)}")
    if problems:
        return None, problems
    try:
        return Model.model_validate(facts), []
    except ValidationError as error:
        return None, [_describe(problem) for problem in error.errors()]


def _facts(tree: ast.Module) -> tuple[dict[str, Any], list[str]]:
    """The constants that Model knows, as plain values."""
    facts: dict[str, Any] = {}
    known = {name.upper() for name in Model.model_fields} - {"WHEEL_VERSION"}
    problems: list[str] = []
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        for name in [name.lower() for name in names if name in known]:
            try:
                facts[name] = ast.literal_eval(node.value)
            except ValueError:
                problems.append(
                    f"model_build/{FILE}, line {node.lineno}: {name.upper()} must be a plain value, because it is read "
                    "without running the file"
                )
    return facts, problems


def _defined(tree: ast.Module) -> set[str]:
    """What a module's body defines, imports or assigns."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _describe(problem: Any) -> str:
    name, *inside = map(str, problem["loc"])
    where = f"model_build/{FILE}: {name.upper()}{''.join(f'[{part}]' for part in inside)}"
    if problem["type"] == "missing":
        return f"{where} is missing"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{where} {message[0].lower()}{message[1:]}; found {problem['input']!r}"
