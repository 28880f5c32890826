"""Every error a person can meet, in one tree. Each says what is wrong, where, and what to do about it.

CatalogError           shown without a traceback; exit code 1
├── DeclinedError      a person said no to the question; no failure, so shown as it is
├── InputError         what was typed, or answered to a question
├── SourceError        this repository, or a project's folder, cannot be published as it is
├── AccessError        credentials, permissions, a region or a service that is not there
├── StackError         a stack failed, or is in a state that only a person can end
├── BucketError        the bucket belongs to somebody else, or an object is not what its name says
├── ProductError       the product, its portfolio or one of its versions is missing, twice there, or other than expected
└── ProjectError       the SageMaker project is missing, failed, or is being changed
"""

import difflib
from collections.abc import Iterable, Sequence

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)


class CatalogError(Exception):
    """Something that a person can put right."""


class DeclinedError(CatalogError):
    """A person said no to the question: nothing was done, and nothing is wrong."""


class InputError(CatalogError):
    """One or more problems with what was typed; the message lists them all."""

    def __init__(self, problems: str | Sequence[str]) -> None:
        found = [problems] if isinstance(problems, str) else list(problems)
        lines = "\n".join(f"  - {problem}" for problem in found)
        super().__init__(found[0] if len(found) == 1 else f"{len(found)} problems to solve first:\n{lines}")
        self.problems = found


class SourceError(CatalogError):
    """This repository, or a project's folder, cannot be published as it is."""


class AccessError(CatalogError):
    """Credentials, permissions, a region or a service that is not there."""


class StackError(CatalogError):
    """A stack failed, or is in a state that only a person can end."""


class BucketError(CatalogError):
    """The bucket belongs to somebody else, or an object is not what its name says."""


class ProductError(CatalogError):
    """The product, its portfolio or one of its versions is missing, twice there, or other than expected."""


class ProjectError(CatalogError):
    """The SageMaker project is missing, failed, or is being changed."""


_THROTTLED = {
    *("Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded"),
    *("SlowDown", "PriorRequestNotComplete", "RequestThrottled", "RequestThrottledException"),
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorizedException", "403"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_INVALID = {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId"}
_AGAIN = "what is done stays done: run the same command again"


def code(error: ClientError) -> str:
    """AWS's word for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message(error: ClientError) -> str:
    """AWS's sentence about it."""
    return str(error.response.get("Error", {}).get("Message", ""))


def is_denied(error: ClientError) -> bool:
    """Whether a permission is missing."""
    return code(error) in _DENIED


def explain(error: BotoCoreError | ClientError) -> CatalogError:
    """An error of boto3 in the words of the person who ran the command."""
    if isinstance(error, ClientError):
        return AccessError(_explain_answer(error))
    if isinstance(error, NoCredentialsError):
        return AccessError(
            "There are no AWS credentials: run `aws configure sso` once, then name the profile: --profile NAME."
        )
    if isinstance(error, SSOError | TokenRetrievalError):
        return AccessError(f"The login has ended ({error}): run `aws sso login`, with --profile NAME if you use one.")
    if isinstance(error, ProfileNotFound):
        return AccessError(f"{error}: `aws configure list-profiles` shows the profiles of this machine.")
    if isinstance(error, NoRegionError):
        return AccessError('No region is set: give --region, such as ARGS="--region eu-west-1", or set AWS_REGION.')
    if isinstance(error, ConnectionError):
        return AccessError(f"AWS cannot be reached ({error}). Check the network and --region; {_AGAIN}.")
    return AccessError(f"{error}. If the network failed, {_AGAIN}.")


def _explain_answer(error: ClientError) -> str:
    operation, word = error.operation_name, code(error)
    if word in _DENIED:
        return f"AWS does not allow {operation}: {message(error)} Ask for that permission; {_AGAIN}."
    if word in _EXPIRED:
        return f"The login has ended ({operation}: {word}): log in again, such as with `aws sso login`; {_AGAIN}."
    if word in _INVALID:
        return f"AWS does not know these credentials ({operation}: {word}): check --profile and the AWS_* variables."
    if word in _THROTTLED:
        tries = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) + 1
        return f"AWS still asks to slow down after {tries} tries of {operation} ({word}). Wait a minute; {_AGAIN}."
    return f"AWS refused {operation} ({word}): {message(error)}"


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that is most like `word`, or at all of them."""
    allowed = sorted(known)
    if match := difflib.get_close_matches(word, allowed, n=1, cutoff=0.6):
        return f"; did you mean {match[0]!r}?"
    return f"; there is {', '.join(allowed)}" if allowed and len(allowed) <= 12 else ""
