"""The inference handler packed into model.tar.gz. Needs numpy and xgboost, and refuses to import anything else."""
