"""The rehearsal's clock: periods of metrics, waits of shifts and delays pass so many times as fast as on AWS."""

import os


def pace() -> float:
    """How many seconds of AWS pass in a second here."""
    return float(os.environ.get("REHEARSAL_PACE") or 1)
