"""No file of the repository has a habit that makes it fail now and then."""

import ast
import functools
from pathlib import Path

import pytest

from scripts.bake import ROOT, tracked_files
from tests.habits import RULES, Rule

# Where a rule is broken for a reason.
EXCUSED = {
    ("look-then-use", "kit/src/sagemaker_project_runtime/steps/champion.py"): "of a process that has ended",
    ("look-then-use", "tests/template/test_upgrading.py"): "tells folders from files",
    ("fixed-port", "kit/tests/deploy/test_api.py"): "an address that nobody calls",
    ("account-number", "kit/tests/local/test_images.py"): "AWS's own registry",
    ("left-behind", "tests/test_kit.py"): "a fixture puts it back, as monkeypatch cannot",
    ("look-then-use", "kit/src/sagemaker_project_kit/local/state/storage.py"): "a link to a folder, or to a file?",
    ("look-then-use", "rehearsal/faults/states.py"): "tells folders from files, with the lock of the bench held",
    (
        "wall-clock",
        "kit/src/sagemaker_project_kit/local/pipeline/cache.py",
    ): "ExpireAfter outlives a process",
    ("wall-clock", "kit/src/sagemaker_project_kit/local/state/registry.py"): "files have their time from the wall",
    ("wall-clock", "rehearsal/emulator/codepipeline/approval.py"): "seven days, which outlive the emulator",
    ("wall-clock", "rehearsal/story/waiting.py"): "brings a moment of the story to the clock of events",
    ("wall-clock", "tests/rehearsal/engines.py"): "files have their time from the wall",
    ("fixed-wait", "kit/tests/waiting.py"): "the one place that waits",
    ("latency-budget", "kit/tests/waiting.py"): "the one place that waits",
    ("fixed-port", "kit/tests/deploy/test_verify.py"): "an address that is refused",
    ("account-number", "tests/numbers.py"): "the one place that gives them out",
    ("fixed-port", "tests/test_habits.py"): "examples",
    ("account-number", "tests/test_habits.py"): "examples",
    ("left-behind", "kit/tests/conftest.py"): "before the first test, for all",
}
BROKEN = {
    "look-then-use": r"""
        if p.exists():\n    p.read_text()
        x = load(p.open()) if p.is_file() else {}
        if a.b.is_dir(): shutil.rmtree(a.b)
    """,
    "wall-clock": r"""
        took = time.time() - start
        while datetime.now(UTC) < end: pass
    """,
    "equal-timestamps": r"""
        sorted(a, key=lambda each: each['CreationTime'])
        max(a, key=lambda each: each.begun)
    """,
    "without-lock": r"""
        class A:\n d: dict\n def f(self):\n  with self.lock: self.d[1] = 2\n def g(self): sum(self.d.values())
        class A:\n def a(self): self.d = []\n def f(self):\n  with self.lock: self.d.pop()\n def g(self): [*self.d]
        known = set()\ndef f():\n    with lock: known.add(1)\ndef g():\n    for each in known: print(each)
    """,
    "fixed-wait": r"""
        time.sleep(1)
        asyncio.run(asyncio.sleep(0.1))
    """,
    "short-patience": r"""
        p.communicate(timeout=20)
        thread.join(5)
        until(ready, 3)
    """,
    "latency-budget": r"""
        def f():\n    took = time.monotonic() - start\n    assert 0.1 < took < 2
        assert time.perf_counter() - start <= 1
    """,
    "fixed-port": r"""
        serve('--port', '8080')
        serve(port=80)
        url = 'http://localhost:9000'
        bind(('127.0.0.1', 99))
    """,
    "account-number": r"""
        Account(running, '300000000001')
        count(100000000001)
    """,
    "left-behind": r"""
        os.environ['A'] = 'b'
        del os.environ['A']
        sys.path.insert(0, p)
        os.chdir(p)
    """,
}
SOUND = {
    "look-then-use": r"""
        assert p.exists()\np.read_text()
        try:\n    if p.exists(): p.read_text()\nexcept OSError: pass
        [p.read_text() for p in all if p.is_file()]
        if p.exists(): p.unlink(missing_ok=True)
        if not p.exists(): p.write_text(t)
    """,
    "wall-clock": r"""
        yesterday = datetime.now(UTC) - timedelta(days=1)
        took = time.monotonic() - start
    """,
    "equal-timestamps": r"""
        sorted(a, key=lambda each: (each.begun, each.id))
        sorted(a, key=lambda each: each.name)
    """,
    "without-lock": r"""
        class A:\n d: dict\n def f(self):\n  with self.lock: self.d[1] = list(self.d)
        class A:\n d: dict\n def f(self):\n  with self.lock: self.d[1] = self._g()\n def _g(self): return [*self.d]
        class A:\n d: dict\n def f(self):\n  with self.lock: self.d[1] = 2\n def g(self): return self.d.get(1)
        def f():\n    found = []\n    with lock: found.append(1)\n    return [*found]
    """,
    "fixed-wait": r"""
        until(lambda: ready)
    """,
    "short-patience": r"""
        p.communicate(timeout=PATIENCE)
        ', '.join(names)
        until(ready, 240)
        while not stop.wait(0.01): pass
    """,
    "latency-budget": r"""
        def f():\n    took = time.monotonic() - start\n    assert took > 0.9
        assert before <= entry.modified <= datetime.now(UTC)
    """,
    "fixed-port": r"""
        serve('--port', '0')
        bind(('127.0.0.1', 0))
        url = 'http://127.0.0.1:9'
    """,
    "account-number": r"""
        A = '111111111111'
        n = 20261130120000
    """,
    "left-behind": r"""
        monkeypatch.setenv('A', 'b')
        x = os.environ['A']
    """,
}


@functools.cache
def parsed(path: Path) -> ast.Module:
    """A file of the repository, read once for all rules."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def examples(text: str) -> list[ast.Module]:
    """One program on each line."""
    return [ast.parse(line.strip().replace("\\n", "\n")) for line in text.strip().splitlines()]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_nothing_depends_on_luck(rule: Rule) -> None:
    """Read the line, and write what the message says; a new excuse needs a reason."""
    found = {}
    for path in tracked_files(ROOT):
        if path.suffix == ".py" and (not rule.only_tests or "tests" in path.parts):
            lines = sorted(set(rule.find(parsed(path))))
            found.update({path.as_posix(): lines} if lines else {})
    excused = {path for name, path in EXCUSED if name == rule.name}
    told = [f"{path}:{line}" for path, lines in found.items() if path not in excused for line in lines]
    assert told == [], f"{rule.find.__doc__} Instead: {rule.instead}"
    assert excused - found.keys() == set(), "an excuse that nothing needs any more"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_tells_good_from_bad(rule: Rule) -> None:
    assert [ast.unparse(code) for code in examples(BROKEN[rule.name]) if not list(rule.find(code))] == []
    assert [ast.unparse(code) for code in examples(SOUND[rule.name]) if list(rule.find(code))] == []


def test_folders_of_tests_are_no_packages() -> None:
    """Two packages called tests cannot be told apart: pytest would collect one of them."""
    assert [path for path in tracked_files(ROOT) if path.name == "__init__.py" and "tests" in path.parts] == []
