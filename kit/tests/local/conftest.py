"""The project folder of a test, and a machine with endpoints."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.tests.local.deployments import Machine
from kit.tests.local.pipelines import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project folder."""
    return Project(tmp_path)


@pytest.fixture
def machine(project: Project) -> Iterator[Machine]:
    """A machine whose endpoints end with the test."""
    machine = Machine(project)
    machine.prepare()
    yield machine
    machine.stop()


@pytest.fixture
def deployed(machine: Machine) -> Machine:
    """churn/1, which doubles, on both stages."""
    machine.add(2)
    done = machine.deploy()
    assert done.code == 0, done.out + done.err
    return machine
