"""Where the tests of the kit find the kit's sources and the project that they play with: the template, unrendered."""

from pathlib import Path

KIT = Path(__file__).parents[1]
SOURCES = KIT / "src"
PROJECT = KIT.parent / "{{cookiecutter.project_slug}}"
