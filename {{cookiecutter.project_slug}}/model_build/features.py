"""The columns that your data does not have and your model should see. By default there are none."""
