"""On which machines a registered model may run: one list for each kind of processor, and which kind an image is for.

The registry states it (SupportedRealtimeInferenceInstanceTypes, SupportedTransformInstanceTypes), and endpoint.yaml and
batch.yaml of a project offer exactly these: what is released is never a guess. A test holds the three together.
"""

from typing import NamedTuple


class Machines(NamedTuple):
    """Instance types for endpoints, and for the jobs of batch.yaml."""

    inference: tuple[str, ...]
    transform: tuple[str, ...]


_FAMILIES = ("m5", "m6i", "m7i", "c5", "c6i", "c7i")
BY_ARCHITECTURE = {
    "x86_64": Machines(
        inference=(
            *("ml.t2.medium", "ml.t2.large", "ml.m5.4xlarge"),
            *(f"ml.{family}.{size}" for family in _FAMILIES for size in ("large", "xlarge", "2xlarge")),
            *(f"ml.{family}.{size}" for family in ("g4dn", "g5", "g6") for size in ("xlarge", "2xlarge")),
        ),
        transform=(
            *("ml.m5.large", "ml.m5.xlarge", "ml.m5.2xlarge", "ml.m5.4xlarge"),
            *("ml.c5.xlarge", "ml.c5.2xlarge"),
        ),
    )
}
# AWS builds both for x86_64 alone (aws/deep-learning-containers; the SDK's image_uris lists no other processor).
ARCHITECTURES = {"xgboost": "x86_64", "sklearn": "x86_64"}


def of_image(image: str) -> Machines:
    """The machines for an image that model.py may name as IMAGE; those of x86_64 for one that is not listed."""
    return BY_ARCHITECTURE[ARCHITECTURES.get(image, "x86_64")]
