"""A features.py that imports what is not there."""

import polars_of_tomorrow  # type: ignore[import-not-found]  # noqa: F401
