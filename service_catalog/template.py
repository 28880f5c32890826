"""CloudFormation templates as text and as a document, without AWS: read, compared, stamped, measured.

A stamp changes one value and not a byte besides: comments and layout are part of what gets published.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from service_catalog.errors import SourceError

# CloudFormation quotas, "Template body size in a request" and "in an Amazon S3 object".
BODY_BYTES, OBJECT_BYTES = 51_200, 1_000_000
# IAM quotas: a managed policy's characters without white space; AWS refuses to raise it.
POLICY_CHARACTERS = 6_144


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # ten times as fast
    """YAML as CloudFormation reads it: intrinsic tags become functions, scalars stay text."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no fourth kind of node
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)
_Loader.yaml_implicit_resolvers = {}


@dataclass(frozen=True)
class Template:
    """A template's text under the name of its file."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    @property
    def document(self) -> dict[str, Any]:
        return read(self.text, self.name)

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        """Name to declaration."""
        found: dict[str, dict[str, Any]] = self.document.get("Parameters") or {}
        return found

    @property
    def resources(self) -> dict[str, dict[str, Any]]:
        """Logical id to declaration."""
        found: dict[str, dict[str, Any]] = self.document.get("Resources") or {}
        return found

    def stamped(self, values: Mapping[str, str]) -> "Template":
        """The same text with these values on the lines that end with "# publish: …" and a key of `values`.

        Raises:
            SourceError: there is not exactly one such line for each.
        """
        text = self.text
        for label, value in values.items():
            line = re.compile(rf'^(\s*\w+: )"[^"\n]*"(\s+# publish: {re.escape(label)})$', re.MULTILINE)
            quoted = json.dumps(value).replace("\\", "\\\\")  # a backslash means something in a replacement
            text, count = line.subn(rf"\g<1>{quoted}\g<2>", text)
            if count != 1:
                raise SourceError(f'{self.name} has {count} lines that end with "# publish: {label}"; it needs one.')
        return Template(self.name, text)

    def stamp(self, label: str) -> str:
        """The value that `stamped` wrote; empty if there is no such line."""
        line = re.compile(rf'^\s*\w+: ("[^"\n]*")\s+# publish: {re.escape(label)}$', re.MULTILINE)
        found = line.search(self.text)
        return str(json.loads(found[1])) if found else ""

    def require_size(self, limit: int) -> None:
        """Raises SourceError if AWS would refuse the template for its size."""
        size = len(self.text.encode("utf-8"))
        if size > limit:
            way_out = "move resources to a template of their own, or shorten Description texts"
            raise SourceError(f"{self.name} has {size:,} bytes and AWS takes at most {limit:,} of it: {way_out}.")

    def require_policies(self) -> None:
        """Raises SourceError if a policy written in the template is past IAM's limit."""
        for logical_id, size in self._policies():
            if size > POLICY_CHARACTERS:
                allowed = f"IAM takes at most {POLICY_CHARACTERS:,} in a managed policy"
                raise SourceError(f"{self.name}: {logical_id} has {size:,} characters and {allowed}: split it in two.")

    def _policies(self) -> Iterator[tuple[str, int]]:
        for logical_id, resource in self.resources.items():
            document = (resource.get("Properties") or {}).get("PolicyDocument")
            if resource.get("Type") == "AWS::IAM::ManagedPolicy" and document:
                yield logical_id, len(json.dumps(_written_out(document), separators=(",", ":")))


# What CloudFormation knows by itself, at the longest.
_PSEUDO = {"${AWS::AccountId}": "1" * 12, "${AWS::Partition}": "aws-us-gov", "${AWS::Region}": "ap-southeast-1"}


def _written_out(value: Any) -> Any:
    """A part of a policy at the length that it has in IAM, as far as a template tells: of two branches the longer."""
    if isinstance(value, list):
        return [_written_out(each) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Fn::If"}:
        return max(map(_written_out, value["Fn::If"][1:]), key=lambda each: len(json.dumps(each)))
    if set(value) == {"Fn::Sub"} and isinstance(value["Fn::Sub"], str):
        text = value["Fn::Sub"]
        for name, longest in _PSEUDO.items():
            text = text.replace(name, longest)
        return text
    return {key: _written_out(each) for key, each in value.items()}


@lru_cache(maxsize=32)
def read(text: str, name: str = "the template") -> dict[str, Any]:
    """A template's document, the short forms written out; not to be changed. Raises SourceError."""
    try:
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise SourceError(f"{name} is not YAML: {error}") from None
    if not isinstance(found, dict):
        raise SourceError(f"{name} is not a CloudFormation template: it has no Resources.")
    return found


@dataclass(frozen=True)
class Difference:
    """What differs between two templates, by logical id."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)

    def __str__(self) -> str:
        signs = (("+", self.added), ("~", self.changed), ("-", self.removed))
        return " ".join(f"{sign}{name}" for sign, names in signs for name in names)


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """Compare two documents by their resources; everything else is compared as if it were one resource each."""
    before, after = _parts(old), _parts(new)
    return Difference(
        tuple(sorted(after.keys() - before.keys())),
        tuple(sorted(key for key in before.keys() & after.keys() if before[key] != after[key])),
        tuple(sorted(before.keys() - after.keys())),
    )


def _parts(document: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in document.items() if key not in ("Resources", "Metadata", "Description")}
    return {**(document.get("Resources") or {}), **rest}
