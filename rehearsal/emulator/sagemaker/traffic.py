"""Which fleet and which variant a request goes to. Shares are kept evenly: 10 % is every tenth request, not chance."""

import threading
from dataclasses import dataclass, field

from rehearsal.emulator.sagemaker.fleets import Fleet, Server
from rehearsal.emulator.service import account, region


@dataclass
class Live:
    """The fleets of an endpoint: the one in service and, in an update, the new one with `percent` of the traffic."""

    blue: Fleet | None = None
    green: Fleet | None = None
    percent: int = 0
    credit: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def pick(self, weights: dict[str, float], wanted: str = "") -> tuple[Fleet, Server] | None:
        """The fleet and server whose turn it is; `weights` are those of the production variants."""
        with self.lock:
            shares = {
                "blue": 100.0 - self.percent if self.blue else 0.0,
                "green": float(self.percent if self.green else 0),
            }
            fleet = self.green if self._turn("fleet", shares) == "green" else self.blue
            if fleet is None:
                return None
            known = {name: weight for name, weight in weights.items() if name in fleet.servers}
            name = wanted or self._turn("variant", known or dict.fromkeys(fleet.servers, 1.0))
            server = fleet.servers.get(name)
            return (fleet, server) if server else None

    def _turn(self, kind: str, shares: dict[str, float]) -> str:
        """nginx's smooth round robin."""
        for name, share in shares.items():
            self.credit[f"{kind}/{name}"] = self.credit.get(f"{kind}/{name}", 0.0) + share
        chosen = max(
            (name for name in shares if shares[name]), key=lambda name: self.credit[f"{kind}/{name}"], default=""
        )
        if chosen:
            self.credit[f"{kind}/{chosen}"] -= sum(shares.values())
        return chosen

    def route(self, percent: int) -> None:
        """Give the new fleet its share."""
        with self.lock:
            self.percent = percent
            self.credit.clear()

    def end(self) -> None:
        """End both fleets."""
        for fleet in (self.green, self.blue):
            if fleet:
                fleet.end()
        self.blue = self.green = None


_live: dict[tuple[str, str, str], Live] = {}


def live(endpoint: str) -> Live:
    """What runs for an endpoint of the account and region being served."""
    return _live.setdefault((account(), region(), endpoint.lower()), Live())


def forget(endpoint: str) -> Live | None:
    """The same, for the last time."""
    return _live.pop((account(), region(), endpoint.lower()), None)
