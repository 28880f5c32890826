"""What makes a test fail now and then, or a program on somebody else's machine, found in the source before it happens.

A rule takes the syntax tree of a file and yields the lines that break it. It reads one function at a time, so what a
function does with a file that its caller looked for is beyond it.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PATIENCE = 240  # as kit/tests/waiting.py has it; a smaller limit is one that a busy machine passes
Lines = Iterator[int]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Module)
_LOOKS = {"exists", "is_file", "is_dir"}
_USES = {"read_text", "read_bytes", "open", "stat", "lstat", "iterdir", "rename", "replace", "unlink", "rmdir"}
_USERS = {"open", "rmtree", "copy", "copy2", "copyfile", "copytree", "move"}
_MISSING = {"OSError", "FileNotFoundError", "Exception"}
_WALL = ("time.time", "time.time_ns", "datetime.now", "datetime.datetime.now")
_CLOCKS = (*_WALL, "time.monotonic", "time.monotonic_ns", "time.perf_counter")
_TIMES = re.compile(r"time|created|started|begun|modified|_at\b", re.IGNORECASE)
_PORT = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\]):(\d+)")
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
# What AWS's own documentation writes; nobody's account.
_PLACEHOLDERS = {digit * 12 for digit in "0123456789"} | {"111122223333", "444455556666", "123456789012"}
_SHARED = ("os.environ", "sys.path", "sys.modules")
_CHANGES = ("update", "pop", "setdefault", "append", "insert", "clear")
_LOCK = re.compile(r"lock|changed|condition", re.IGNORECASE)
_ADDS = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popleft", "remove", "setdefault", "update"}
_ALL_OF = {"values", "items", "keys", "copy"}
_GO_THROUGH = {"all", "any", "dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"}
_FOR_ALL = {"os.chdir", "os.putenv", "os.umask", "random.seed", "locale.setlocale", "time.tzset"}


@dataclass(frozen=True)
class Rule:
    """What is looked for, and what to write instead."""

    name: str
    instead: str
    find: Callable[[ast.Module], Lines]
    only_tests: bool = True


def look_then_use(tree: ast.Module) -> Lines:
    """A file is looked for and then read, moved or removed by the same name: in between it may come or go.

    A filter in a comprehension tells files from folders, and an assertion is what the test is about.
    """
    for scope in _scopes(tree):
        nodes = list(_own(scope))
        spared = {inner for node in nodes for part in _spared(node) for inner in ast.walk(part)}
        looked = {
            ast.unparse(node.func.value): node.lineno
            for node in _calls(nodes)
            if isinstance(node.func, ast.Attribute)
            and node.func.attr in _LOOKS
            and not node.args
            and node not in spared
        }
        if not looked:
            continue
        borne = {inner for node in nodes for part in _bears_a_missing_file(node) for inner in ast.walk(part)}
        used = {_used(node) for node in _calls(nodes) if node not in borne}
        yield from (looked[name] for name in looked.keys() & used)


def _spared(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Assert):
        return [node.test]
    return node.ifs if isinstance(node, ast.comprehension) else []


def _bears_a_missing_file(node: ast.AST) -> list[ast.stmt]:
    """What stands in a `try` that catches a missing file, or below `suppress`."""
    caught: list[ast.AST] = []
    if isinstance(node, ast.Try):
        caught = [handler.type for handler in node.handlers if handler.type]
    elif isinstance(node, ast.With):
        caught = [item.context_expr for item in node.items if _name(item.context_expr) == "suppress"]
    names = {inner.id for each in caught for inner in ast.walk(each) if isinstance(inner, ast.Name)}
    return node.body if names & _MISSING and isinstance(node, ast.Try | ast.With) else []


def _used(call: ast.Call) -> str:
    """The file that a call needs to be there; what it only writes, or may find missing, is none."""
    options = {keyword.arg for keyword in call.keywords}
    mode = str(call.args[0].value) if call.args and isinstance(call.args[0], ast.Constant) else "r"
    if "missing_ok" in options or (_name(call) == "open" and "r" not in mode):
        return ""
    if isinstance(call.func, ast.Attribute) and call.func.attr in _USES:
        return ast.unparse(call.func.value)
    return ast.unparse(call.args[0]) if call.args and _name(call) in _USERS else ""


def fixed_waits(tree: ast.Module) -> Lines:
    """A pause of a fixed length: too short on a busy machine, too long on every other."""
    yield from (node.lineno for node in _calls(ast.walk(tree)) if _name(node) == "sleep")


def short_patience(tree: ast.Module) -> Lines:
    """A time limit that a machine with much to do passes: what takes a second alone takes twenty beside four others."""
    for node in _calls(ast.walk(tree)):
        given = [keyword.value for keyword in node.keywords if keyword.arg and keyword.arg.endswith("timeout")]
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("wait", "join") and len(node.args) == 1:
            given += node.args
        if _name(node) == "until":
            given += node.args[1:]
        if any(isinstance(value, ast.Constant) and _is_short(value.value) for value in given):
            yield node.lineno


def latency_budgets(tree: ast.Module) -> Lines:
    """A test that fails because something took long: how long says more of the machine than of the code."""
    for scope in _scopes(tree):
        nodes = list(_own(scope))
        known = {
            target.id
            for node in nodes
            if isinstance(node, ast.Assign) and _is_duration(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        compared = [each for node in nodes if isinstance(node, ast.Assert) for each in ast.walk(node.test)]
        yield from (each.lineno for each in compared if isinstance(each, ast.Compare) and _has_upper_bound(each, known))


def _is_duration(expression: ast.AST) -> bool:
    """Whether one moment is taken from another in it."""
    sums = [node for node in ast.walk(expression) if isinstance(node, ast.BinOp)]
    differences = [node for node in sums if isinstance(node.op, ast.Sub)]
    return any(_dotted(call) in _CLOCKS for each in differences for call in _calls(ast.walk(each)))


def _has_upper_bound(compare: ast.Compare, durations: set[str]) -> bool:
    sides = [compare.left, *compare.comparators]
    for left, sign, right in zip(sides, compare.ops, sides[1:], strict=False):
        smaller = left if isinstance(sign, ast.Lt | ast.LtE) else right if isinstance(sign, ast.Gt | ast.GtE) else None
        if smaller is None:
            continue
        if _is_duration(smaller) or _dotted(smaller) in _CLOCKS:
            return True
        if any(isinstance(node, ast.Name) and node.id in durations for node in ast.walk(smaller)):
            return True
    return False


def wall_clock_durations(tree: ast.Module) -> Lines:
    """A duration or a deadline by the clock on the wall: it is set, and summer time comes."""
    for node in ast.walk(tree):
        sides: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub):
            sides = [node.left, node.right]
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        is_earlier = any(_name(side) == "timedelta" for side in sides)
        if not is_earlier and any(_dotted(side) in _WALL for side in sides):
            yield node.lineno  # type: ignore[attr-defined]


def equal_timestamps(tree: ast.Module) -> Lines:
    """An order by time alone: two things that happened in one moment have none."""
    for node in _calls(ast.walk(tree)):
        keys = [keyword.value for keyword in node.keywords if keyword.arg == "key"]
        if _name(node) in ("sorted", "sort", "min", "max") and keys and isinstance(keys[0], ast.Lambda):
            by = keys[0].body
            if not isinstance(by, ast.Tuple) and _TIMES.search(ast.unparse(by)):
                yield node.lineno


def fixed_ports(tree: ast.Module) -> Lines:
    """A port by number: somebody else may listen there. Nobody listens below ten."""
    for node in ast.walk(tree):
        numbers: list[object] = []
        if isinstance(node, ast.Constant):
            numbers = [int(port) for port in _PORT.findall(str(node.value))]
        elif isinstance(node, ast.Call):
            options = zip(node.args, node.args[1:], strict=False)
            given = [keyword.value for keyword in node.keywords if keyword.arg == "port"]
            given += [
                value for option, value in options if isinstance(option, ast.Constant) and option.value == "--port"
            ]
            numbers = [value.value for value in given if isinstance(value, ast.Constant)]
        elif isinstance(node, ast.Tuple) and ast.dump(node).startswith("Tuple(elts=[Constant(value='127.0.0.1'"):
            numbers = [value.value for value in node.elts[1:] if isinstance(value, ast.Constant)]
        if any(int(str(number)) >= 10 for number in numbers if str(number).isdecimal()):
            yield node.lineno  # type: ignore[attr-defined]


def account_numbers(tree: ast.Module) -> Lines:
    """An account of the emulator by number: another test may have chosen the same."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and set(_ACCOUNT.findall(str(node.value))) - _PLACEHOLDERS:
            yield node.lineno


def left_behind(tree: ast.Module) -> Lines:
    """What the next test finds as this one left it."""
    changes = {f"{name}.{verb}" for name in _SHARED for verb in _CHANGES} | _FOR_ALL
    for node in ast.walk(tree):
        if _dotted(node) in changes:
            yield node.lineno  # type: ignore[attr-defined]
        elif isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
            yield from (node.lineno for name in _SHARED if ast.unparse(node.value) == name)


def reads_without_lock(tree: ast.Module) -> Lines:
    """What threads change while they hold a lock is gone through without it: it may change its size meanwhile.

    A function that is called under the lock alone may do so.
    """
    for scope in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]:
        locked = _locked(scope)
        changed = {_changed(node) for node in locked} - {""}
        is_own = "self." if isinstance(scope, ast.ClassDef) else ""
        shared = {name for name in changed if name.startswith("self.") == bool(is_own)} & _made_once(scope, is_own)
        for node in ast.walk(scope):
            yield from (
                part.lineno for part in _gone_through(node) if part not in locked and ast.unparse(part) in shared
            )


def _locked(scope: ast.AST) -> set[ast.AST]:
    """What is done while a lock is held, in functions that are called then only, too."""
    blocks = [node for node in ast.walk(scope) if isinstance(node, ast.With)]
    held = [node for node in blocks if any(_LOCK.search(ast.unparse(item.context_expr)) for item in node.items)]
    inner = {part for node in held for line in node.body for part in ast.walk(line)}
    free = {_name(call) for call in _calls(list(set(ast.walk(scope)) - inner))}
    for node in ast.walk(scope):
        if isinstance(node, ast.FunctionDef) and node.name in {_name(call) for call in _calls(list(inner))} - free:
            inner |= set(ast.walk(node))
    return inner


def _changed(node: ast.AST) -> str:
    """The collection to which something is added, or from which something is taken."""
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        return ast.unparse(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ADDS:
        return ast.unparse(node.func.value)
    return ""


def _made_once(scope: ast.AST, prefix: str) -> set[str]:
    """The names that every function of a module or class shares."""
    body = getattr(scope, "body", [])
    targets = [each for node in body if isinstance(node, ast.Assign) for each in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    own = [node for node in ast.walk(scope) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    return {f"{prefix}{ast.unparse(each)}" for each in targets} | {ast.unparse(each) for each in own if prefix}


def _gone_through(node: ast.AST) -> list[ast.expr]:
    """What is gone through in a node, part by part."""
    if isinstance(node, ast.For | ast.comprehension):
        return [node.iter]
    if isinstance(node, ast.Starred):
        return [node.value]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _ALL_OF:
        return [node.func.value]
    return list(node.args) if isinstance(node, ast.Call) and _name(node) in _GO_THROUGH else []


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS))


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions in it."""
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _FUNCTIONS):
            todo.extend(ast.iter_child_nodes(node))


def _calls(nodes: Iterator[ast.AST] | list[ast.AST]) -> Iterator[ast.Call]:
    return (node for node in nodes if isinstance(node, ast.Call))


def _dotted(node: ast.AST) -> str:
    """What is called, as far as it is a name with dots: `.read_text` of `folder().read_text()`."""
    names: list[str] = []
    part = node.func if isinstance(node, ast.Call) else None
    while isinstance(part, ast.Attribute):
        names.append(part.attr)
        part = part.value
    first = part.id if isinstance(part, ast.Name) else ""
    return ".".join(reversed([*names, first])) if isinstance(node, ast.Call) else ""


def _name(node: ast.AST) -> str:
    """The last name of what is called: read_text of `path.read_text()`."""
    return _dotted(node).rpartition(".")[2]


def _is_short(seconds: object) -> bool:
    """Below a second it is a pause between two looks."""
    return isinstance(seconds, int | float) and 1 <= seconds < PATIENCE


RULES = (
    Rule("look-then-use", "read it, and catch FileNotFoundError", look_then_use, only_tests=False),
    Rule("wall-clock", "time.monotonic()", wall_clock_durations, only_tests=False),
    Rule("equal-timestamps", "a tuple of the time and of what tells two apart", equal_timestamps, only_tests=False),
    Rule("without-lock", "hold the lock, or go through a copy made under it", reads_without_lock, only_tests=False),
    Rule("fixed-wait", "kit.tests.waiting.until what is waited for happens", fixed_waits),
    Rule("short-patience", "kit.tests.waiting.PATIENCE", short_patience),
    Rule("latency-budget", "count what happened, or give the code a clock of the test's own", latency_budgets),
    Rule("fixed-port", "port 0, and ask which one it became", fixed_ports),
    Rule("account-number", "tests.numbers.next_account()", account_numbers),
    Rule("left-behind", "monkeypatch, which puts it back", left_behind),
)
