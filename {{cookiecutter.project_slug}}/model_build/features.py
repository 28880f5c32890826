"""Columns of your own, made from those of the data. This file is yours. By default there are none: every column of the
data becomes a feature by itself (numbers as they are, words as categories, dates as year, month, day …).

To add some, write the function `derive` below. It is called with many rows when the model is trained and evaluated and
with one row when an endpoint answers, with the same values either way, so that both see the same columns:

    def derive(columns: Columns) -> Columns:
        charges, months = columns["monthly_charges"], columns["tenure"]
        return {"charge_per_month": [None if not m else c / m for c, m in zip(charges, months, strict=True)]}

`columns["name"]` is a list with one value a row: a float where the value is a number, else a text as it was written
(dates too; true and false in small letters), None where it is missing. Return a dict of new columns: lists of as many
numbers, texts or None, in the order of the rows. What is returned is then treated like a column of the data. A column
that you read need not be a feature; callers must send it. A row's value may depend on that row only, and never on the
target or on what [data] drop keeps from the model: training stops with a sentence when it does, or when the function
fails for a row.
"""

from sagemaker_project_runtime.serving.derived import Columns

__all__ = ["Columns"]
