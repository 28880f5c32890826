"""What makes a test fail now and then, or a program on somebody else's machine: found in the source, before it happens.

Each rule takes a syntax tree and yields the lines that break it. What a rule must allow stands in EXCUSED, with the reason.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Lines = Iterator[int]
Functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module)

_LOOKS = {"exists", "is_file", "is_dir"}
_READS = {"read_text", "read_bytes", "open", "stat", "lstat", "iterdir", "rename", "replace", "unlink", "rmdir"}
_READERS = {"open", "rmtree", "copy", "copy2", "copyfile", "copytree", "move", "loads", "load"}
_MISSING = {"OSError", "FileNotFoundError", "NotADirectoryError", "Exception"}


@dataclass(frozen=True)
class Rule:
    """What is looked for, and what to do instead."""

    name: str
    instead: str
    find: Callable[[ast.Module], Lines]
    only_tests: bool = True


def _called(node: ast.AST) -> str:
    """The last name of what is called: read_text of `path.read_text()`."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _dotted(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions in it."""
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, Functions):
            todo.extend(ast.iter_child_nodes(node))


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree) if isinstance(node, Functions))


def _bears_a_missing_file(scope: ast.AST) -> set[ast.AST]:
    """The nodes in a `try` that catches a missing file, or below `suppress(OSError)`."""
    borne: set[ast.AST] = set()
    for node in ast.walk(scope):
        if isinstance(node, ast.Try):
            caught = {
                each.id
                for handler in node.handlers
                if handler.type
                for each in ast.walk(handler.type)
                if isinstance(each, ast.Name)
            }
            bodies = node.body if caught & _MISSING else []
        elif isinstance(node, ast.With):
            caught = {
                name
                for item in node.items
                if _called(item.context_expr) == "suppress"
                for name in ast.unparse(item.context_expr).replace("(", " ").replace(")", " ").replace(",", " ").split()
            }
            bodies = node.body if caught & _MISSING else []
        else:
            continue
        borne.update(inner for statement in bodies for inner in ast.walk(statement))
    return borne


def look_then_use(tree: ast.Module) -> Lines:
    """A file is looked for and then read, moved or removed by the same name: in between it may come or go."""
    for scope in _scopes(tree):
        nodes = list(_own(scope))
        asserted = {inner for node in nodes if isinstance(node, ast.Assert) for inner in ast.walk(node)}
        looked = {
            ast.unparse(node.func.value): node.lineno
            for node in nodes
            if _called(node) in _LOOKS
            and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and not node.args
            and node not in asserted
        }
        borne = _bears_a_missing_file(scope)
        used = {_used(node) for node in nodes if node not in borne} - {""}
        yield from (looked[name] for name in looked.keys() & used)


def _used(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute) and node.func.attr in _READS:
        writes = node.func.attr == "open" and any(
            isinstance(arg, ast.Constant) and "r" not in str(arg.value) for arg in node.args
        )
        forgiving = any(keyword.arg == "missing_ok" for keyword in node.keywords)
        return "" if writes or forgiving else ast.unparse(node.func.value)
    return ast.unparse(node.args[0]) if node.args and _called(node) in _READERS else ""


def fixed_waits(tree: ast.Module) -> Lines:
    """A pause of a fixed length: too short on a busy machine, too long on every other."""
    yield from (
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _dotted(node) in ("time.sleep", "sleep", "asyncio.sleep")
    )


def short_patience(tree: ast.Module) -> Lines:
    """A time limit of its own: what takes a second alone takes twenty beside four others."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = [keyword.value for keyword in node.keywords if keyword.arg and keyword.arg.endswith("timeout")]
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("wait", "join"):
            given += node.args
        if any(isinstance(value, ast.Constant) and isinstance(value.value, int | float) for value in given):
            yield node.lineno


_CLOCKS = (
    "time.time",
    "time.monotonic",
    "time.perf_counter",
    "datetime.now",
    "datetime.datetime.now",
    "time.monotonic_ns",
    "time.time_ns",
)


def _reads_clock(node: ast.AST, names: set[str] = frozenset(), clocks: tuple[str, ...] = _CLOCKS) -> bool:  # type: ignore[assignment]
    return any(
        _dotted(inner) in clocks or (isinstance(inner, ast.Name) and inner.id in names) for inner in ast.walk(node)
    )


def latency_budgets(tree: ast.Module) -> Lines:
    """A test that fails because something took long: how long says more of the machine than of the code."""
    for scope in _scopes(tree):
        nodes = list(_own(scope))
        names = {
            target.id
            for node in nodes
            if isinstance(node, ast.Assign) and _reads_clock(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in nodes:
            if isinstance(node, ast.Assert):
                yield from (
                    each.lineno
                    for each in ast.walk(node.test)
                    if isinstance(each, ast.Compare) and _upper_bound(each, names)
                )


def _upper_bound(compare: ast.Compare, names: set[str]) -> bool:
    sides = [compare.left, *compare.comparators]
    return any(
        _reads_clock(larger if isinstance(sign, ast.Gt | ast.GtE) else smaller, names)
        for smaller, sign, larger in zip(sides, compare.ops, sides[1:], strict=False)
        if isinstance(sign, ast.Lt | ast.LtE | ast.Gt | ast.GtE)
    )


def wall_clock_durations(tree: ast.Module) -> Lines:
    """A duration or a deadline by the clock on the wall: it is set, and summer time comes."""
    wall = ("time.time", "time.time_ns", "datetime.now", "datetime.datetime.now")
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            sides = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        else:
            continue
        if any(_dotted(side) in wall for side in sides):
            yield node.lineno


def equal_timestamps(tree: ast.Module) -> Lines:
    """An order by time alone: two things that happened at once have none."""
    for node in ast.walk(tree):
        if _called(node) not in ("sorted", "sort", "min", "max") or not isinstance(node, ast.Call):
            continue
        for keyword in node.keywords:
            if keyword.arg == "key" and isinstance(keyword.value, ast.Lambda):
                by = keyword.value.body
                if not isinstance(by, ast.Tuple) and re.search(
                    r"(?i)time|created|started|begun|modified|mtime|_at\b", ast.unparse(by)
                ):
                    yield node.lineno


def fixed_ports(tree: ast.Module) -> Lines:
    """A port by number: somebody else listens there. The system gives a free one for 0; nobody listens below ten."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if any(int(port) >= 10 for port in re.findall(r"(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)", node.value)):
                yield node.lineno
        elif isinstance(node, ast.Call):
            values = [keyword.value for keyword in node.keywords if keyword.arg == "port"]
            values += [
                after for before, after in zip(node.args, node.args[1:], strict=False) if _is_text(before, "--port")
            ]
            if any(isinstance(value, ast.Constant) and str(value.value) != "0" for value in values):
                yield node.lineno
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2 and isinstance(node.elts[1], ast.Constant):
            if _is_text(node.elts[0], "127.0.0.1") and node.elts[1].value != 0:
                yield node.lineno


def _is_text(node: ast.AST, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


# What AWS's own documentation writes; nobody's account.
PLACEHOLDERS = {digit * 12 for digit in "0123456789"} | {"111122223333", "444455556666", "123456789012"}


def account_numbers(tree: ast.Module) -> Lines:
    """An account of the emulator by number: a test that runs beside another takes the next one of tests/numbers.py."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if set(re.findall(r"(?<!\d)\d{12}(?!\d)", str(node.value))) - PLACEHOLDERS:
                yield node.lineno


def environment(tree: ast.Module) -> Lines:
    """What the next test finds as this one left it: monkeypatch puts it back."""
    changes = {
        f"{name}.{verb}"
        for name in ("os.environ", "sys.path", "sys.modules")
        for verb in ("update", "pop", "setdefault", "append", "insert", "clear")
    }
    for node in ast.walk(tree):
        if _dotted(node) in changes | {
            "os.chdir",
            "os.putenv",
            "os.umask",
            "random.seed",
            "locale.setlocale",
            "time.tzset",
        }:
            yield node.lineno  # type: ignore[attr-defined]
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            if ast.unparse(node.value) in ("os.environ", "sys.modules"):
                yield node.lineno


RULES = (
    Rule("look-then-use", "read it, and catch FileNotFoundError", look_then_use, only_tests=False),
    Rule("fixed-wait", "wait for what happens: kit.tests.waiting.until", fixed_waits),
    Rule("short-patience", "kit.tests.waiting.PATIENCE", short_patience),
    Rule("latency-budget", "count what happened, or compare with a clock of the test's own", latency_budgets),
    Rule("wall-clock", "time.monotonic()", wall_clock_durations, only_tests=False),
    Rule("equal-timestamps", "a tuple: the time, and what tells two apart", equal_timestamps, only_tests=False),
    Rule("fixed-port", "port 0, and ask which one it is", fixed_ports),
    Rule("account-number", "next_account() of tests/numbers.py", account_numbers),
    Rule("environment", "monkeypatch", environment),
)
