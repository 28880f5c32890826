"""What the filters of triggers let pass: names of branches and tags, and paths of changed files.

"Add filtering for trigger on code push", CodePipeline user guide: of several filters one must fit; of a filter,
branches and file paths must both; what is excluded counts more than what is included.
"""

import re
from collections.abc import Sequence
from typing import Any

Document = dict[str, Any]


def fits(path: str, pattern: str) -> bool:
    """Whether a glob pattern as CodePipeline has them fits: * within a folder, ** across folders, ?, {a,b}, [a-z]."""
    return re.fullmatch(_expression(pattern), path) is not None


def _expression(pattern: str) -> str:
    parts = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|"}
    words = re.findall(r"\*\*|\*|\?|\{|\}|,|\[[^\]]*\]|[^*?{},\[]+|\[", pattern)
    depth, found = 0, []
    for word in words:
        depth += {"{": 1, "}": -1}.get(word, 0)
        is_plain = word == "," and not depth
        is_class = word.startswith("[") and word.endswith("]")
        found.append(word if is_class else re.escape(word) if is_plain or word not in parts else parts[word])
    return "".join(found)


def passes(name: str, criteria: Document | None) -> bool:
    """Whether includes and excludes let a name pass; without criteria everything passes."""
    if criteria is None:
        return True
    if any(fits(name, pattern) for pattern in criteria.get("excludes") or []):
        return False
    includes = criteria.get("includes") or []
    return not includes or any(fits(name, pattern) for pattern in includes)


def starts(push: Document, reference: str, paths: Sequence[str]) -> bool:
    """Whether one push filter lets a moved reference with these changed files start a pipeline."""
    is_tag = reference.startswith("refs/tags/")
    name = reference.removeprefix("refs/tags/").removeprefix("refs/heads/")
    if is_tag:
        return push.get("tags") is not None and passes(name, push["tags"])
    if push.get("tags") is not None or not passes(name, push.get("branches")):
        return False
    files = push.get("filePaths")
    return files is None or any(passes(path, files) for path in paths)
