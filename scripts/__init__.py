"""What the longer verbs of the Makefile run."""
