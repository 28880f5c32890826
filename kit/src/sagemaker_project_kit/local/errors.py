"""Every error a person can meet, in one tree. Each carries a sentence that says what to do.

LocalError              the command cannot do what was asked (exit code 2: nothing ran)
├── DefinitionError     the pipeline definition is broken or asks for what cannot run here
├── ParameterError      a pipeline parameter is unknown, missing or of the wrong kind
├── StorageError        an s3:// address is malformed or holds nothing
├── RegistryError       no such model package, or the choice is ambiguous
├── ServeError          the model cannot be served
└── DeployError         an endpoint on this machine cannot be started, updated or reached
StepFailed              a step of the pipeline failed (exit code 1)
ExecutionStopped        the run was stopped from outside (exit code 128 + signal)
"""

import errno

_FULL_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


class LocalError(Exception):
    """A command that cannot be carried out; its text is shown as it is, without a traceback."""


class DefinitionError(LocalError):
    """The pipeline definition is broken, or asks for what cannot run on this machine."""


class ParameterError(LocalError):
    """A pipeline parameter is unknown, has no value, or has a value of the wrong kind."""


class StorageError(LocalError):
    """An s3:// address is malformed, or there is nothing at it."""


class RegistryError(LocalError):
    """No such model package, or more than one fits."""


class ServeError(LocalError):
    """The model cannot be served."""


class DeployError(LocalError):
    """An endpoint on this machine cannot be started, updated or reached."""


class StepFailed(Exception):  # noqa: N818 - a state, as AWS names it
    """A step failed; the text is its failure reason."""


class ExecutionStopped(Exception):  # noqa: N818 - a state, as AWS names it
    """The run was stopped while this step was under way."""


def in_words(error: OSError) -> str:
    """What the operating system refused, with the file; a full disk is called one."""
    file = error.filename2 or error.filename
    text = f"{error.strerror or error}" + (f": {file}" if file else "")
    return f"the disk is full ({text})" if error.errno in _FULL_DISK else text
