"""The inference handler packed into model.tar.gz. Needs numpy and what the team's model.py imports, nothing else."""
