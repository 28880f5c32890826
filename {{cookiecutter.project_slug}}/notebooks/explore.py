# %% [markdown]
# # The data set and the registry of this machine
# A notebook kept as text, so that a change to it can be read: VS Code, PyCharm and Studio's Code Editor run its cells
# as they are, Jupyter with the jupytext extension; `python notebooks/explore.py` runs it from top to bottom. It reads
# what `make run` wrote and changes nothing.

# %%
import json
import tomllib
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = next(folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "project.toml").is_file())
SETTINGS = tomllib.loads((ROOT / "project.toml").read_text(encoding="utf-8"))
DATA = SETTINGS["data"]

# %% [markdown]
# ## The data
# What `[data] source` in project.toml names. A source in S3 needs a download first: `aws s3 cp s3://… data/`.

# %%
frame = pd.read_csv(ROOT / DATA["source"])
columns = pd.DataFrame({"kind": frame.dtypes.astype(str), "missing": frame.isna().sum(), "different": frame.nunique()})
print(f"{len(frame):,} rows, {len(frame.columns)} columns\n")
print(columns.to_string())

# %% [markdown]
# How often each value of the target occurs; for a number, how it is spread.

# %%
target = frame[DATA["target"]]
spread = target.describe() if DATA["problem_type"] == "regression" else target.value_counts(normalize=True)
print(spread.round(3).to_string())

# %% [markdown]
# ## The registry
# One file for each registered version, shaped like the answer of SageMaker's DescribeModelPackage.


# %%
def local_path(s3_uri: str) -> Path:
    """Where the local run keeps an object: s3://bucket/key is .local/s3/bucket/key."""
    return ROOT / ".local" / "s3" / s3_uri.removeprefix("s3://")


def headline(package: dict[str, Any]) -> str:
    """The metric that decided on the registration, from the version's evaluation.json."""
    statistics = package.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    if "S3Uri" not in statistics:
        return "not evaluated"
    evaluation = json.loads(local_path(statistics["S3Uri"]).read_text(encoding="utf-8"))
    name = SETTINGS["evaluate"]["metric"]
    found = [metrics[name]["value"] for metrics in evaluation.values() if name in metrics]
    return f"{name} {found[0]:.3f}" if found else f"no {name}"


def row(package: dict[str, Any]) -> dict[str, str]:
    """One line of the table below."""
    version = f"{package['ModelPackageGroupName']}/{package['ModelPackageVersion']}"
    return {
        "version": version,
        "status": package["ModelApprovalStatus"],
        "registered": package["CreationTime"],
        "quality": headline(package),
    }


# %%
files = sorted((ROOT / ".local" / "registry").glob("*/[0-9]*.json"))
packages = [json.loads(path.read_text(encoding="utf-8")) for path in files]
if packages:
    print(pd.DataFrame(map(row, packages)).to_string(index=False))
else:
    print("Nothing is registered on this machine yet: make run")
