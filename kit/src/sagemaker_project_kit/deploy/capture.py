"""Whether captured traffic arrives where monitoring will look for it. It reads names and times, never the data.

SageMaker writes <destination>/<endpoint>/<variant>/<yyyy>/<mm>/<dd>/<hh>/<file>.jsonl, in UTC and a minute or more
later ("Capture data from real-time endpoint", developer guide).
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from sagemaker_project_kit.deploy.errors import VerifyError
from sagemaker_project_kit.deploy.store import Object, Store

POLL_SECONDS = 10.0
# Sampling is by chance: with fewer captures expected, having none would prove too little.
ENOUGH = 10


def hours(prefix: str, endpoint: str, variant: str, since: datetime, now: datetime) -> Iterator[str]:
    """The folders of the hours from `since` to `now`, so that months of captured data need not be listed."""
    hour = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour <= now:
        yield f"{prefix.rstrip('/')}/{endpoint}/{variant}/{hour:%Y/%m/%d/%H}"
        hour += timedelta(hours=1)


def await_arrival(
    store: Store,
    folders: Callable[[], Iterator[str]],
    since: datetime,
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> list[Object]:
    """Objects written since `since`. Raises VerifyError if there is none within `seconds`."""
    since = since.replace(microsecond=0)  # S3 tells times in whole seconds
    end = clock() + seconds
    while True:
        looked = list(folders())
        found = [entry for folder in looked for entry in store.list(folder) if entry.modified >= since]
        if found:
            return found
        if clock() >= end:
            raise VerifyError(f"nothing was captured below {looked[-1]} within {seconds:g} s")
        sleep(min(POLL_SECONDS, max(seconds / 10, 0.05)))
