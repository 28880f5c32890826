"""What outlives a run, as files: the objects of S3 and the model registry. Writing is atomic."""
