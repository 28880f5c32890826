"""A project that `make run` has played, and the jobs that SageMaker would get for it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from kit.tests.frameworks.projects import TeamProject
from sagemaker_project_kit.local.state.storage import Storage


@dataclass(frozen=True)
class Played:
    """After a run that registered a version. `versioned`: files of a model that name the version of their library."""

    project: TeamProject
    bad: Mapping[str, str]  # hyperparameters with which training fails
    versioned: frozenset[str] = frozenset()

    BROKEN: ClassVar[bytes] = b"only,a,header\n"

    def arguments(self, step: str) -> dict[str, Any]:
        """A step's request with every expression resolved, as it was sent."""
        (path,) = (self.project.root / ".local" / "cache").glob(f"*/{step}/*.json")
        sent: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["Properties"]
        return sent

    def stored(self, uri: str) -> Path:
        """An object or a prefix of S3."""
        return self.project.project.stored(uri)

    def download(self, uri: str, folder: Path) -> None:
        """As SageMaker fills the folder of an input; nothing below a prefix leaves it empty."""
        state = self.project.root / ".local"
        Storage(state / "s3", state).download(uri, folder)

    def contract(self, name: str) -> str:
        """A file of Evaluate's contract as it was stored; `runs/latest` may be of a run that failed since."""
        outputs = self.arguments("Evaluate")["ProcessingOutputConfig"]["Outputs"]
        (uri,) = (each["S3Output"]["S3Uri"] for each in outputs if each["OutputName"] == "contract")
        return (self.stored(uri) / name).read_text(encoding="utf-8")

    @property
    def container(self) -> dict[str, Any]:
        """Of the registered package: image, model and environment."""
        found: dict[str, Any] = self.project.package["InferenceSpecification"]["Containers"][0]
        return found

    @property
    def model(self) -> Path:
        return self.stored(self.container["ModelDataUrl"])

    def failing_data(self) -> str:
        """FailureReason of Preprocess when the data is BROKEN."""
        assets = self._document("assets.json")
        broken = self.project.root / "build" / "broken.csv"
        broken.write_bytes(self.BROKEN)
        for uri in [uri for uri in assets if uri.endswith(".csv")]:
            assets[uri] = str(broken)
        return self._failing("Preprocess", self._document("definition.json"), assets)

    def failing_training(self) -> str:
        """FailureReason of Train with the `bad` hyperparameters."""
        definition = self._document("definition.json")
        step = next(each for each in definition["Steps"] if each["Name"] == "Train")
        step["Arguments"]["HyperParameters"] |= self.bad
        return self._failing("Train", definition, self._document("assets.json"))

    def _document(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.project.root / "build" / name).read_text(encoding="utf-8"))
        return found

    def _failing(self, step: str, definition: Mapping[str, Any], assets: Mapping[str, str]) -> str:
        folder = self.project.root / "failing" / step
        folder.mkdir(parents=True)
        for name, document in {"definition.json": definition, "assets.json": assets}.items():
            (folder / name).write_text(json.dumps(document), encoding="utf-8")
        state = str(self.project.root.parent / f"failing-{step}")  # nothing is cached there
        places = [str(folder / "definition.json"), "--assets", str(folder / "assets.json")]
        done = self.project.project.command("run", *places, "--state", state)
        assert done.code == 1, done.out + done.err
        return str(done.step(step)["FailureReason"])
