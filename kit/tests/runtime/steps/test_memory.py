"""A file of four times the rows needs no more memory, but for the column that is held to split."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from kit.tests.runtime.steps.flow import config

CHUNK = 50_000
# The target, its parts and a permutation are held: about 40 bytes a row.
GROWTH_MB = 24

# Linux hands a parent's ru_maxrss on to its child; VmHWM belongs to the program itself.
MEASURE = """
import pathlib, resource, sys
from sagemaker_project_runtime.steps import preprocess
code = preprocess.main(sys.argv[1:])
status = pathlib.Path("/proc/self/status")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
if status.exists():
    peak = int(status.read_text().split("VmHWM:")[1].split()[0])
print("peak", peak)
sys.exit(code)
"""


def write(path: Path, rows: int) -> None:
    """Twelve columns: an id, numbers, gaps, categories with few and many values, a date, a target."""
    random = np.random.default_rng(1)
    words = np.array([f"city {number}" for number in range(40_000)])
    with path.open("w", encoding="utf-8") as file:
        file.write("id,a,b,c,d,e,color,city,code,since,flag,target\n")
        for start in range(0, rows, CHUNK):
            numbers = random.normal(size=(CHUNK, 5)).round(4)
            cities = words[(random.pareto(1.0, CHUNK) * 50).astype(int) % len(words)]
            days = random.integers(0, 5000, CHUNK).astype("datetime64[D]")
            marks = random.integers(0, 4, size=(CHUNK, 3))
            file.writelines(
                f"{start + row},{','.join(map(str, line))},{['red', 'green', 'blue', ''][mark[0]]},{cities[row]},"
                f"x{start + row:x},{days[row]},{mark[1]},{'yes' if line[0] + mark[2] > 2 else 'no'}\n"
                for row, (line, mark) in enumerate(zip(numbers.tolist(), marks.tolist(), strict=True))
            )


def peak_mb(folder: Path, rows: int) -> float:
    (folder / "data").mkdir(parents=True)
    write(folder / "data" / "data.csv", rows)
    (folder / "preprocess.json").write_text(json.dumps(config("target", "binary")), encoding="utf-8")
    words = ["--data", f"{folder}/data", "--config", f"{folder}/preprocess.json", "--output", f"{folder}/out"]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *words], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"total={rows}" in done.stdout
    return int(done.stdout.split("peak ")[1]) / 1024


def test_memory_is_bounded(tmp_path: Path) -> None:
    small, large = peak_mb(tmp_path / "small", 100_000), peak_mb(tmp_path / "large", 400_000)
    print(f"peak: {small:.0f} MB for 100 000 rows, {large:.0f} MB for 400 000")
    assert large < 400
    assert large - small < GROWTH_MB
