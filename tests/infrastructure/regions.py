"""Asks schemas.py, in the scanners' environment, what each region knows of the templates."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service_catalog import joiner, release
from tests.infrastructure.scanners import PYTHON

# Regions of partitions that the product does not know (service_catalog/regions.py), as AWS begins their names.
ELSEWHERE = ("cn-", "us-iso", "eu-iso", "eusc-")


@dataclass(frozen=True)
class Known:
    """What the schemas say: regions without a type, [file, resource, property, region], and create-only properties."""

    unknown: Mapping[str, list[str]]
    properties: list[list[str]]
    create_only: Mapping[str, list[str]]
    regions: list[str]


def templates() -> dict[str, str]:
    """File name to text: what is published or deployed, and the product for a region that lacks what it may lack."""
    lacking = joiner.template("product.yaml", lacking=tuple(joiner.OPTIONAL)).text
    return {template.name: template.text for template in release.templates()} | {"product-lacking.yaml": lacking}


def ask(folder: Path, texts: Mapping[str, str]) -> Known:
    """Write the templates into a folder, and hold them against the schemas of every region in one process."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    command = [str(PYTHON), str(Path(__file__).with_name("schemas.py")), str(folder)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return Known(**json.loads(done.stdout))


def outcomes(known: Known) -> dict[str, list[str]]:
    """What `publish` does, in the words of docs/operating.md, to the regions where it does so."""
    found: dict[str, list[str]] = {}
    for region in known.regions:
        missing = [kind for kind, regions in known.unknown.items() if region in regions]
        needed = sorted({kind.rpartition("::")[0] for kind in missing if kind not in joiner.OPTIONAL.values()})
        lacking = [word for word, kind in joiner.OPTIONAL.items() if kind in missing]
        words = f"leaves out {' and '.join(lacking)}" if lacking else "everything"
        if needed:
            words = "refuses: it does not know types of " + ", ".join(needed)
        if region.startswith(ELSEWHERE):
            continue
        found.setdefault(words, []).append(region)
    return found


def table(known: Known) -> str:
    """The rows of docs/operating.md."""
    rows = (f"| {words} | {', '.join(regions)} |" for words, regions in sorted(outcomes(known).items()))
    return "\n".join(["| what `publish` does there | regions |", "|---|---|", *rows])
