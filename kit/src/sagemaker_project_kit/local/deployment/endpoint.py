"""The process behind an endpoint's address: a proxy, its fleets, and updates that roll themselves back.

Started in a session of its own by `deploy`, which tells it what to do over a Unix socket that only this user can open:
one JSON object a line. An update lasts as long as its connection: when the other side goes away, killed or by Ctrl-C,
all traffic returns to the old fleet and the new one ends. An endpoint without a fleet ends.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import uvicorn

from sagemaker_project_kit.local.deployment.alarms import Answer, Watch, alarms
from sagemaker_project_kit.local.deployment.fleet import Fleet, FleetError, Guard, start
from sagemaker_project_kit.local.deployment.plan import Plan
from sagemaker_project_kit.local.deployment.proxy import Proxy
from sagemaker_project_kit.local.errors import ServeError
from sagemaker_project_kit.local.serving.gateway import Gateway
from sagemaker_project_kit.local.serving.serve import listen
from sagemaker_project_kit.local.state.atomic import now, replace_text, to_json

_TICK = 0.1
_FIRST_ORDER_SECONDS = 60.0
# Periods that are shown before the first step, and after a rollback.
_LEAD, _TAIL = 2, 3
Tell = Callable[[Mapping[str, Any]], None]


class RollBackError(Exception):
    """The new fleet must not stay; the text says why, `cause` in a word or two."""

    def __init__(self, text: str, cause: str) -> None:
        super().__init__(text)
        self.cause = cause


class Endpoint:
    """One stage's endpoint."""

    def __init__(self, file: Path, listener_port: int, control: Path) -> None:
        self._file = file
        self._port = listener_port
        self._control = control
        self._proxy = Proxy(self._seen)
        self._guard = Guard()
        self._live: Fleet | None = None
        self._fleets: list[Fleet] = []
        self._updating = False
        self._answers: list[Answer] = []
        self._began = time.monotonic()
        self._since = self._verified = ""
        self.server = self._make_server()

    def _make_server(self) -> uvicorn.Server:
        config = uvicorn.Config(
            Gateway(self._proxy, None),
            access_log=False,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
        return uvicorn.Server(config)

    def _seen(self, fleet: str, status: int, milliseconds: float) -> None:
        if self._updating:
            self._answers.append(Answer(self._time, fleet, status, milliseconds))

    @property
    def _time(self) -> float:
        """Seconds since the update began."""
        return time.monotonic() - self._began

    # --- state

    def describe(self) -> dict[str, Any]:
        """What the state file says."""
        return {
            "stage": self._file.stem,
            "package": self._live.package if self._live else "",
            "since": self._since,
            "verified": self._verified,
            "url": f"http://127.0.0.1:{self._port}",
            "pid": os.getpid(),
            "control": str(self._control),
            "fleets": [
                {"package": fleet.package, "pid": fleet.process.pid, "port": fleet.backend.port}
                for fleet in self._fleets
            ],
        }

    def save(self) -> None:
        """Write the state file, whole."""
        replace_text(self._file, to_json(self.describe()))

    # --- orders

    async def obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: one order."""

        def tell(event: Mapping[str, Any]) -> None:
            if not writer.is_closing():
                writer.write(json.dumps(event).encode() + b"\n")

        try:
            order = json.loads(await reader.readline() or b"{}")
            await self._carry_out(order, tell, reader)
            await writer.drain()
        except ConnectionError:
            pass  # nobody is there to be told
        finally:
            writer.close()

    async def _carry_out(self, order: Mapping[str, Any], tell: Tell, reader: asyncio.StreamReader) -> None:
        if order.get("do") == "update":
            await self._while_connected(order, tell, reader)
            return
        if order.get("do") == "verified":
            self._verified = now()
            self.save()
        if order.get("do") == "stop":
            self.server.should_exit = True
        tell(self.describe())

    async def _while_connected(self, order: Mapping[str, Any], tell: Tell, reader: asyncio.StreamReader) -> None:
        """Update until it is done, or until the other side takes it back or goes away."""
        if self._updating:
            tell({"end": "refused", "text": "it is being updated already: wait until that has ended"})
            return
        update = asyncio.create_task(self._update(order, tell))
        retreat = asyncio.create_task(reader.readline())
        await asyncio.wait({update, retreat}, return_when=asyncio.FIRST_COMPLETED)
        if not update.done():
            update.cancel()
        retreat.cancel()
        await update

    # --- updates

    async def _update(self, order: Mapping[str, Any], tell: Tell) -> None:
        self._updating, self._began = True, time.monotonic()
        self._answers.clear()
        plan = Plan.of_json(order["plan"])
        end = {"end": "released", "text": ""}
        try:
            await self._replace(order, plan, tell)
        except asyncio.CancelledError:
            end = {"end": "interrupted", "text": "stopped from outside"}
        except FleetError as error:
            end = {"end": "failed", "text": str(error)}
        except RollBackError as error:
            end = {"end": "rolled back", "text": str(error)}
        await self._settle()
        self._event(tell, f"{order['package']} {end['end']}")
        self._updating = False
        tell(end)

    async def _replace(self, order: Mapping[str, Any], plan: Plan, tell: Tell) -> None:
        old, log = self._live, self._file.with_name(f"{self._file.stem}-{order['package'].replace('/', '-')}.log")
        self._event(tell, f"starting {order['package']}")
        new = await start(order["package"], order["options"], log, self._guard)
        self._fleets.append(new)
        self._proxy.backends.append(new.backend)
        self.save()
        if old:
            await self._shift(old, new, plan, tell)
        self._proxy.route({new.package: 100})
        self._live, self._since, self._verified = new, now(), ""

    async def _shift(self, old: Fleet, new: Fleet, plan: Plan, tell: Tell) -> None:
        await self._play(_LEAD * plan.period_seconds, f"{new.package} is healthy", new, tell)
        watch = Watch(alarms(plan.limits), plan.period_seconds)
        try:
            for step in plan.steps:
                self._proxy.route({old.package: 100 - step.percent, new.package: step.percent})
                await self._play(step.seconds, f"{step.percent} % on {new.package}", new, tell, watch)
        except RollBackError as error:
            self._proxy.route({old.package: 100})
            self._event(tell, f"rollback: {error.cause}", is_rollback=True)
            await self._play(_TAIL * plan.period_seconds, f"rolled back to {old.package}", None, tell)
            raise
        await self._play(plan.termination_seconds, f"{old.package} waits for its end", new, tell)

    async def _play(
        self, seconds: float, phase: str, new: Fleet | None, tell: Tell, watch: Watch | None = None
    ) -> None:
        """Let time pass. Raises RollBackError if an alarm of `watch` goes off, or the new fleet is gone."""
        end = self._time + seconds
        while True:
            answers = self._event(tell, phase)
            if new and new.has_ended:
                code = new.process.returncode
                raise RollBackError(f"its server ended by itself, exit code {code}", "its server ended")
            if new and watch:
                watch.add(answer for answer in answers if answer.fleet == new.package)
                if breach := watch.judge(self._time):
                    raise RollBackError(str(breach), breach.alarm.name)
            if self._time >= end:
                return
            await asyncio.sleep(min(_TICK, max(0.0, end - self._time)))

    def _event(self, tell: Tell, phase: str, is_rollback: bool = False) -> list[Answer]:
        answers, self._answers = self._answers, []
        weights = {backend.name: backend.weight for backend in self._proxy.backends}
        event = {"time": self._time, "phase": phase, "weights": weights, "is_rollback": is_rollback}
        tell(event | {"answers": [astuple(answer) for answer in answers]})
        return answers

    async def _settle(self) -> None:
        """All traffic to the fleet that stays; the others end. Without one the endpoint ends too."""
        if self._live:
            self._proxy.route({self._live.package: 100})
        for fleet in [fleet for fleet in self._fleets if fleet is not self._live]:
            await self._end(fleet)
        if self._live:
            self.save()
        else:
            self.server.should_exit = True

    async def _end(self, fleet: Fleet) -> None:
        self._proxy.backends.remove(fleet.backend)
        await fleet.end()
        self._fleets.remove(fleet)

    def leave_if_unused(self) -> None:
        """Whoever started this endpoint was killed before the first order."""
        if not self._live and not self._updating:
            self.server.should_exit = True

    async def close(self) -> None:
        """End the fleets and take the state file away."""
        for fleet in list(self._fleets):
            await self._end(fleet)
        self._guard.close()
        self._file.unlink(missing_ok=True)


async def run(file: Path, port: int) -> None:
    """Be the endpoint whose state file is `file` until it is stopped."""
    with contextlib.closing(_listener(port)) as listener:
        folder = Path(tempfile.mkdtemp(prefix="endpoint-"))
        endpoint = Endpoint(file, listener.getsockname()[1], folder / "control")
        control = await asyncio.start_unix_server(endpoint.obey, folder / "control")
        endpoint.save()
        asyncio.get_running_loop().call_later(_FIRST_ORDER_SECONDS, endpoint.leave_if_unused)
        try:
            await endpoint.server.serve(sockets=[listener])
        finally:
            await endpoint.close()
            control.close()
            shutil.rmtree(folder, ignore_errors=True)


def _listener(port: int) -> Any:
    """The port of before, so that the address stays, or a free one."""
    try:
        return listen("127.0.0.1", port)
    except ServeError:
        return listen("127.0.0.1", 0)


def main() -> None:
    """Read the command line that `deploy` wrote."""
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises the signal again after it has shut down
        signal.signal(number, lambda *_: None)
    asyncio.run(run(arguments.file, arguments.port))


if __name__ == "__main__":
    main()
