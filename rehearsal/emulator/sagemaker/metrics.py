"""The metrics of invocations, as SageMaker publishes them: by endpoint and variant, and by configuration too.

Source: "Monitor Amazon SageMaker AI with CloudWatch" in the developer guide, endpoint invocation metrics; latencies are
in microseconds, an error is 1 and anything else 0, so that averages are shares.
"""

from rehearsal.emulator import seams

NAMESPACE = "AWS/SageMaker"


def invoked(
    endpoint: str, variant: str, config: str, status: int, model_seconds: float, overhead_seconds: float
) -> None:
    """Publish what one request did."""
    values = {
        "Invocations": (1.0, "None"),
        "Invocation4XXErrors": (float(400 <= status < 500), "None"),
        # No answer at all counts as an error of the model.
        "Invocation5XXErrors": (float(status >= 500 or status == 0), "None"),
        "ModelLatency": (model_seconds * 1e6, "Microseconds"),
        "OverheadLatency": (overhead_seconds * 1e6, "Microseconds"),
    }
    own = {"EndpointName": endpoint, "VariantName": variant}
    for dimensions in (own, {**own, "EndpointConfigName": config}):
        for name, (value, unit) in values.items():
            seams.record_metric(NAMESPACE, name, value, unit, dimensions)
