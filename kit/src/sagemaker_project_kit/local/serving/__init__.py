"""A registered model behind HTTP, with data capture."""
