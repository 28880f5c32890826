"""What a service tells about for whom it acts, as far as a public source says that it does: senders.toml."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["sends"]


def sent(service: str, to: str, keys: Mapping[str, str]) -> dict[str, str]:
    """Those of `keys` that a service sends to roles, topics, queues, functions or keys, as far as that is confirmed."""
    known = {key for each in _TABLE if each["service"] == service and to in each["to"] for key in each["keys"]}
    return {key: value for key, value in keys.items() if key in known and value}
