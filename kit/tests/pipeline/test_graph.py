"""The pipeline as a picture."""

import json
from pathlib import Path

from rich.console import Console

from sagemaker_project_kit.pipeline.graph import edges, mermaid, tree

DEFINITION = json.loads((Path(__file__).parent / "golden" / "training.json").read_text(encoding="utf-8"))


def test_edges_leave_out_what_others_imply() -> None:
    assert edges(DEFINITION) == [
        ("Preprocess", "Train", ""),
        ("Train", "Evaluate", ""),
        ("Evaluate", "CheckThreshold", ""),
        ("CheckThreshold", "CheckChampion", "yes"),
        ("CheckChampion", "Register", "yes"),
        ("CheckChampion", "WorseThanChampion", "no"),
        ("CheckThreshold", "BelowThreshold", "no"),
    ]


def test_mermaid() -> None:
    text = mermaid(DEFINITION)
    assert text.startswith("flowchart TD\n")
    assert '    Register[("Register<br/><small>RegisterModel</small>")]' in text
    assert "    CheckThreshold -->|no| BelowThreshold" in text


def test_tree_shows_branches_below_their_condition() -> None:
    console = Console(record=True, width=100, file=None, force_terminal=False)
    console.print(tree(DEFINITION, "churn-training"))
    lines = console.export_text().splitlines()
    assert lines[0] == "churn-training"
    depth = {line.split("─ ")[-1].split(" ")[0]: line.index("─ ") for line in lines[1:]}
    assert depth["Preprocess"] < depth["CheckChampion"] < depth["Register"]
