"""Your half of the build: the pipeline, the model, features and metrics."""
