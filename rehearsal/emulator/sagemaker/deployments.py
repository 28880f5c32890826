"""Blue/green deployments of endpoints: a new fleet, its share of the traffic in steps, alarms that take it back.

ALL_AT_ONCE, CANARY and LINEAR; each step bakes for WaitIntervalInSeconds, the last one too, and the old fleet stays for
TerminationWaitInSeconds more ("Use canary traffic shifting", developer guide). Waits pass REHEARSAL_PACE times as fast.
Alarms are looked up with the role of the model, which the guide asks to allow cloudwatch:DescribeAlarms.
"""

import math
import time
from collections.abc import Mapping

from botocore.exceptions import ClientError

from rehearsal.emulator import alarms, seams
from rehearsal.emulator.sagemaker import configs, fleets, machine, models, traffic
from rehearsal.emulator.sagemaker.endpointstate import changes, endpoints
from rehearsal.emulator.sagemaker.fleets import Fleet, FleetError
from rehearsal.emulator.sagemaker.resources import Document, invalid, now
from rehearsal.emulator.service import AwsError, client, log, spawn

_TICK = 0.1
_INSTANT: Document = {"TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}}
_DEFAULT_TIMEOUT = 8 * 3600


class RollBackError(Exception):
    """The new fleet must not stay; the message is what FailureReason says."""


def require_policy(config: Document, policy: Document | None) -> None:
    """Refuse what SageMaker refuses. Source: API reference, BlueGreenUpdatePolicy and TrafficRoutingConfig."""
    blue_green = (policy or {}).get("BlueGreenUpdatePolicy")
    if policy and not blue_green:
        raise invalid("DeploymentConfig needs a BlueGreenUpdatePolicy; rolling updates are not part of the rehearsal.")
    if not blue_green:
        return
    routing = blue_green["TrafficRoutingConfiguration"]
    wait, last = routing.get("WaitIntervalInSeconds") or 0, blue_green.get("TerminationWaitInSeconds") or 0
    if wait + last >= blue_green.get("MaximumExecutionTimeoutInSeconds", _DEFAULT_TIMEOUT):
        raise invalid(
            "MaximumExecutionTimeoutInSeconds must be more than TerminationWaitInSeconds and "
            "WaitIntervalInSeconds together."
        )
    size = {"CANARY": "CanarySize", "LINEAR": "LinearStepSize"}.get(routing["Type"])
    for name in ("CanarySize", "LinearStepSize"):
        if (name == size) != bool(routing.get(name)):
            raise invalid(
                f"{name} {'is required' if name == size else 'must not be given'} for the type {routing['Type']}."
            )
    if size:
        _require_size(config, routing[size], size)


def _require_size(config: Document, size: Document, name: str) -> None:
    """A step is at most half of the instances, and at least one."""
    for variant in config["ProductionVariants"]:
        count = variant.get("InitialInstanceCount") or 1
        percent = size["Value"] if size["Type"] == "CAPACITY_PERCENT" else 100 * size["Value"] / count
        if percent > 50 or count < 2:
            raise invalid(
                f"{name} must be at most 50 % of the {count} instance(s) of variant {variant['VariantName']}."
            )


def steps(policy: Document | None) -> list[tuple[int, float]]:
    """(percent of the traffic, seconds of baking) of each step of a deployment."""
    blue_green = (policy or {}).get("BlueGreenUpdatePolicy") or _INSTANT
    routing = blue_green["TrafficRoutingConfiguration"]
    size = routing.get("CanarySize") or routing.get("LinearStepSize") or {"Type": "CAPACITY_PERCENT", "Value": 100}
    share = min(100, max(1, math.ceil(size["Value"])))
    before = {"ALL_AT_ONCE": [], "CANARY": [share], "LINEAR": list(range(share, 100, share))}[routing["Type"]]
    return [(percent, float(routing.get("WaitIntervalInSeconds") or 0)) for percent in [*before, 100]]


def states(config: Document, retained: Mapping[str, Document]) -> dict[str, Document]:
    """Counts and weights of the variants of a configuration, as DescribeEndpoint tells them."""
    found: dict[str, Document] = {}
    for variant in configs.variants(config):
        name, kept = variant["VariantName"], retained.get(variant["VariantName"]) or {}
        weight = float(kept.get("DesiredWeight") or variant.get("InitialVariantWeight", 1.0))
        state: Document = {"CurrentWeight": weight, "DesiredWeight": weight}
        if variant.get("ServerlessConfig"):
            state["CurrentServerlessConfig"] = variant["ServerlessConfig"]
        else:
            count = int(kept.get("DesiredInstanceCount") or variant["InitialInstanceCount"])
            state |= {"CurrentInstanceCount": count, "DesiredInstanceCount": count}
        found[name] = state
    return found


def create(endpoint: Document) -> None:
    """Start the first fleet of an endpoint."""
    live = traffic.live(endpoint["EndpointName"])
    try:
        fleet = fleets.start(endpoint["EndpointName"], endpoint["Config"])
    except (FleetError, AwsError) as error:
        changes.settle(endpoint, "Failed", str(error))
        return
    live.blue = fleet
    endpoint["Variants"] = states(endpoint["Config"], {})
    changes.settle(endpoint, "InService")
    if endpoint["EndpointName"].lower() not in endpoints:  # forgotten meanwhile, by a reset
        end(endpoint)


def end(endpoint: Document) -> None:
    """End the fleets of an endpoint that is gone."""
    live = traffic.forget(endpoint["EndpointName"])
    if live:
        live.end()


def resume(account: str, region: str, endpoint: Document) -> None:
    """Start an endpoint again that was in service, in the background."""
    with seams.scope(account, region):
        endpoint["EndpointStatus"] = "Creating"
        endpoint.pop("PendingDeploymentSummary", None)
        spawn(create, endpoint)


def update(endpoint: Document, config: Document, policy: Document | None, retained: dict[str, Document]) -> None:
    """Deploy a configuration; whatever goes wrong leaves the old fleet in service with all the traffic."""
    live = traffic.live(endpoint["EndpointName"])
    endpoint["PendingDeploymentSummary"] = _pending(config, retained)
    try:
        Deployment(endpoint, config, policy, live).run()
    except (FleetError, RollBackError, AwsError, ClientError) as error:
        _roll_back(endpoint, live, str(error))
        return
    except Exception as error:
        log.exception("endpoint=%s", endpoint["EndpointName"])
        _roll_back(endpoint, live, f"InternalServerError: {error!r}")
        return
    _take_over(endpoint, config, retained, live)


def _pending(config: Document, retained: Mapping[str, Document]) -> Document:
    shown = [{"VariantName": name, **state} for name, state in states(config, retained).items()]
    return {"EndpointConfigName": config["EndpointConfigName"], "StartTime": now(), "ProductionVariants": shown}


def _take_over(endpoint: Document, config: Document, retained: Mapping[str, Document], live: traffic.Live) -> None:
    old, live.blue, live.green = live.blue, live.green, None
    live.route(0)
    endpoint |= {
        "Config": config,
        "EndpointConfigName": config["EndpointConfigName"],
        "Variants": states(config, retained),
    }
    endpoint.pop("PendingDeploymentSummary", None)
    if old:
        old.end()
    changes.settle(endpoint, "InService")
    changes.announce_deployment(endpoint, "UPDATE_COMPLETE")


def _roll_back(endpoint: Document, live: traffic.Live, reason: str) -> None:
    changes.settle(endpoint, "RollingBack", reason)
    live.route(0)
    green, live.green = live.green, None
    if green:
        green.end()
    endpoint.pop("PendingDeploymentSummary", None)
    changes.settle(endpoint, "InService", reason)
    changes.announce_deployment(endpoint, "UPDATE_ROLLBACK_COMPLETE")


class Deployment:
    """One blue/green deployment under way."""

    def __init__(self, endpoint: Document, config: Document, policy: Document | None, live: traffic.Live) -> None:
        self._endpoint, self._config, self._live = endpoint, config, live
        self._policy, self._blue_green = policy or {}, (policy or {}).get("BlueGreenUpdatePolicy") or _INSTANT
        seconds = self._blue_green.get("MaximumExecutionTimeoutInSeconds", _DEFAULT_TIMEOUT)
        self._deadline = time.monotonic() + max(seconds / machine.pace(), 120.0)  # a busy machine starts servers slowly
        rollback = self._policy.get("AutoRollbackConfiguration") or {}
        self._alarms = [entry["AlarmName"] for entry in rollback.get("Alarms") or []]

    def run(self) -> None:
        """Start the new fleet and move all traffic to it. Raises RollBackError, FleetError, AwsError, ClientError."""
        self._require_alarms()
        self._stage("Creating", "Launching instance(s).")
        green = self._live.green = fleets.start(self._endpoint["EndpointName"], self._config)
        for percent, seconds in steps(self._policy):
            part = "full" if percent == 100 else "canary"
            self._stage("ActivatingTraffic", f"Activating traffic on {part} capacity: {percent} percent.")
            self._live.route(percent)
            self._stage("Baking", f"Baking for {seconds:g} seconds with traffic enabled on {part} capacity.")
            self._wait(seconds, green, watched=True)
        self._wait(float(self._blue_green.get("TerminationWaitInSeconds") or 0), green, watched=False)

    def _stage(self, status: str, message: str) -> None:
        """Tell where the deployment is, in the pending summary and as an event."""
        note = {"Status": status, "StatusMessage": message, "StartTime": now()}
        for variant in self._endpoint["PendingDeploymentSummary"]["ProductionVariants"]:
            variant["VariantStatus"] = [note]
        changes.announce_deployment(self._endpoint)

    def _wait(self, seconds: float, green: Fleet, *, watched: bool) -> None:
        until = time.monotonic() + seconds / machine.pace()
        while True:
            self._require_health(green, watched)
            remaining = until - time.monotonic()
            if remaining <= 0:
                return
            time.sleep(min(_TICK, remaining))

    def _require_health(self, green: Fleet, watched: bool) -> None:
        dead = green.dead()
        if dead:
            raise RollBackError(
                f"The primary container for production variant {dead} stopped. The deployment was rolled back."
            )
        if time.monotonic() > self._deadline:
            raise RollBackError("The deployment took longer than MaximumExecutionTimeoutInSeconds and was rolled back.")
        rung = [name for name, state in self._alarm_states().items() if state == "ALARM"] if watched else []
        if rung:
            raise RollBackError(
                f"One or more configured alarm(s) went off: {', '.join(sorted(rung))}. The deployment was rolled back."
            )

    def _require_alarms(self) -> None:
        missing = sorted(set(self._alarms) - self._alarm_states().keys())
        if missing:
            raise RollBackError(f"CloudWatch alarms {', '.join(missing)} do not exist.")

    def _alarm_states(self) -> dict[str, str]:
        if not self._alarms:
            return {}
        role = models.find(self._config["ProductionVariants"][0]["ModelName"])["ExecutionRoleArn"]
        alarms.judge_now(self._alarms)
        cloudwatch = client("cloudwatch", role=role, principal=machine.PRINCIPAL)
        found = cloudwatch.describe_alarms(AlarmNames=self._alarms)["MetricAlarms"]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
