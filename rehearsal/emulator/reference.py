"""Which actions take no resource: reference.json, a dated excerpt of the service authorization reference.

IAM is asked for them with * and no statement about an ARN allows them. scripts/reference.py renews the table.
"""

import json
from pathlib import Path

_TABLE = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))["unscoped"]
UNSCOPED = frozenset(f"{service}:{name}" for service, names in _TABLE.items() for name in names)
