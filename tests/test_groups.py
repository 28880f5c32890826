"""Each test is in one group, each group has a verb of make, and continuous integration calls them all."""

import re
import shlex
import subprocess
import tomllib

import pytest

from scripts.bake import ROOT

MARKERS = [
    marker.partition(":")[0]
    for marker in tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"][
        "markers"
    ]
]


def selections() -> list[str]:
    """What each run of pytest selects, of those that continuous integration starts."""
    verbs = re.findall(r"for group in (.*); do", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))[0].split()
    told = [
        subprocess.run(["make", "--dry-run", verb], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for verb in verbs
    ]
    runs = [shlex.split(line) for text in told for line in text.splitlines() if "-m pytest" in line]
    return [words[words.index("-m", words.index("pytest")) + 1] for words in runs]


@pytest.mark.parametrize("marker", [*MARKERS, ""])
def test_a_test_is_run_once(marker: str) -> None:
    """With a marker or without one, it is in one selection and no more."""
    values = {name: name == marker for name in MARKERS}
    assert [eval(selected, {}, values) for selected in selections()].count(True) == 1  # noqa: S307 - from our Makefile


def test_two_markers_are_refused(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((ROOT / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile("import pytest\n@pytest.mark.story\n@pytest.mark.bake\ndef test_it(): pass\n")
    told = pytester.runpytest("-p", "no:randomly")
    assert "is in the groups story and bake" in "\n".join(told.errlines + told.outlines)


def test_only_tests_that_share_a_fixture_stay_together(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((ROOT / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile("""
        import pytest
        @pytest.fixture(scope="module")
        def shared(): pass
        @pytest.fixture
        def own(): pass
        def test_shared(shared): pass
        def test_own(own): pass
        def test_kept(request):
            found = {item.name: item.get_closest_marker("xdist_group") for item in request.session.items}
            assert found["test_shared"].args and not found["test_own"]
    """)
    pytester.runpytest("-p", "no:randomly").assert_outcomes(passed=3)
