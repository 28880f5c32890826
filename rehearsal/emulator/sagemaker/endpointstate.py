"""What is kept of endpoints, and the events that tell of every change of their status."""

import threading
from typing import Any

from rehearsal.emulator.sagemaker.resources import Document, arn, invalid, now
from rehearsal.emulator.sagemaker.tags import tags_of
from rehearsal.emulator.service import Store, emit

endpoints: Store[Document] = Store("endpoints")
_STATUS = {
    "Creating": "CREATING",
    "Updating": "UPDATING",
    "RollingBack": "ROLLING_BACK",
    "InService": "IN_SERVICE",
    "Failed": "FAILED",
    "Deleting": "DELETING",
}


def find(name: str) -> Document:
    """An endpoint. Raises ValidationException in DescribeEndpoint's words."""
    endpoint = endpoints.get(name.lower())
    if endpoint is None:
        raise invalid(f'Could not find endpoint "{arn("endpoint", name)}".')
    return endpoint


class Changes:
    """Changes of status, one at a time for an endpoint."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def begin(self, endpoint: Document, status: str) -> None:
        """Take an endpoint that is in service into a change. Raises ValidationException for one that is not."""
        with self._lock:
            if endpoint["EndpointStatus"] in ("Creating", "Updating", "RollingBack", "Deleting"):
                raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
            if endpoint["EndpointStatus"] == "Failed":
                raise invalid(f'Cannot update endpoint "{endpoint["EndpointArn"]}" in status Failed: delete it first.')
            endpoint |= {"EndpointStatus": status, "LastModifiedTime": now()}
            endpoint.pop("FailureReason", None)
        self.announce(endpoint)

    def settle(self, endpoint: Document, status: str, failure: str = "") -> None:
        """An endpoint's next status."""
        with self._lock:
            endpoint |= {"EndpointStatus": status, "LastModifiedTime": now()}
            if failure:
                endpoint["FailureReason"] = failure[:1024]
        self.announce(endpoint)

    def announce(self, endpoint: Document) -> None:
        """Shape: "SageMaker endpoint state change" of "Events that Amazon SageMaker AI sends to EventBridge"."""
        self._emit("SageMaker Endpoint State Change", endpoint, _STATUS[endpoint["EndpointStatus"]])

    def announce_deployment(self, endpoint: Document, status: str = "UPDATING") -> None:
        """Shape: "SageMaker endpoint deployment state change" of the same page; the pending summary tells the stage."""
        self._emit("SageMaker Endpoint Deployment State Change", endpoint, status)

    def _emit(self, title: str, endpoint: Document, status: str) -> None:
        detail: dict[str, Any] = {
            "EndpointName": endpoint["EndpointName"],
            "EndpointArn": endpoint["EndpointArn"],
            "EndpointConfigName": endpoint["EndpointConfigName"],
            "ProductionVariants": [{"VariantName": name, **state} for name, state in endpoint["Variants"].items()],
            "EndpointStatus": status,
            "CreationTime": int(endpoint["CreationTime"] * 1000),
            "LastModifiedTime": int(endpoint["LastModifiedTime"] * 1000),
            "Tags": tags_of(endpoint["EndpointArn"]),
        }
        if "FailureReason" in endpoint:
            detail["FailureReason"] = endpoint["FailureReason"]
        if "PendingDeploymentSummary" in endpoint:
            detail["PendingDeploymentSummary"] = endpoint["PendingDeploymentSummary"]
        emit("aws.sagemaker", title, detail, [endpoint["EndpointArn"]])


changes = Changes()
