"""Every event on a bus of any account and which rules it set off, kept for whoever waits in vain, and for record.py."""

import threading
from typing import Any

from . import patterns, record, seams
from .service import account, admin, region

Document = dict[str, Any]
KEPT = 2000  # so many of the latest events are told of
_lock = threading.Lock()
_events: list[Document] = []


def _note(event: Document, rules: Document) -> None:
    matched = sorted(arn for arn, pattern in rules.items() if patterns.matches(pattern, event))
    known = {**event, "Account": event.get("Account", account()), "Region": event.get("Region", region())}
    if seams.enforced():
        record.note_event(known, rules, matched)
    with _lock:
        _events.append({"event": known, "rules": dict(rules), "matched": matched})
        del _events[:-KEPT]


@admin("/_rehearsal/events")
def events() -> list[Document]:
    """The latest events: which rules matched, and those that one field kept from matching, with how it differs."""
    with _lock:
        latest = list(_events)
    return [_told(each) for each in latest]


def _told(each: Document) -> Document:
    event = each["event"]
    return {
        "time": event["Time"],
        "account": event["Account"],
        "source": event["Source"],
        "type": event["DetailType"],
        "matched": each["matched"],
        "nearly": {
            arn: patterns.sentence(arn, pattern, event)
            for arn, pattern in each["rules"].items()
            if arn not in each["matched"] and len(patterns.differing(pattern, event)) == 1
        },
    }


seams.on_event(_note)
