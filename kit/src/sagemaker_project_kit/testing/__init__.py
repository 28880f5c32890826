"""For a project's own tests: its jobs on its own data in one process, and what release would say of its stages."""
