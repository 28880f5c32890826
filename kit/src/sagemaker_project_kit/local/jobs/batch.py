"""Program of a Transform step: batch.py SETTINGS_FILE. Feeds files to the four functions of the model's handler.

Each input file KEY becomes KEY.out. With SplitType Line, as many lines as fit into MaxPayloadInMB go into a request
(one, with BatchStrategy SingleRecord). It imports nothing of ours, so that the handler sees only its own modules.
"""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

FUNCTIONS = ("model_fn", "input_fn", "predict_fn", "output_fn")


def main(settings_file: str) -> None:
    """Transform every file below settings["input"] into settings["output"]."""
    settings: dict[str, Any] = json.loads(Path(settings_file).read_text("utf-8"))
    handler = load_handler(settings)
    model = handler.model_fn(settings["model"])
    source, target = Path(settings["input"]), Path(settings["output"])
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        result = target / f"{path.relative_to(source)}.out"
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_bytes(transform(path.read_bytes(), settings, lambda body: predict(handler, model, body, settings)))


def load_handler(settings: dict[str, Any]) -> ModuleType:
    """The module that SAGEMAKER_PROGRAM names, from the model's code folder."""
    sys.path.insert(0, str(Path(settings["model"], "code")))
    handler = importlib.import_module(settings["program"].removesuffix(".py"))
    missing = [name for name in FUNCTIONS if not hasattr(handler, name)]
    if missing:
        raise SystemExit(f"{settings['program']} does not define {', '.join(missing)}")
    return handler


def predict(handler: ModuleType, model: Any, body: bytes, settings: dict[str, Any]) -> bytes:
    """One request through the four functions; output_fn may return a body or (body, content type)."""
    answer = handler.output_fn(
        handler.predict_fn(handler.input_fn(body, settings["content_type"]), model), settings["accept"]
    )
    content = answer[0] if isinstance(answer, tuple) else answer
    return content if isinstance(content, bytes) else str(content).encode()


def transform(content: bytes, settings: dict[str, Any], call: Callable[[bytes], bytes]) -> bytes:
    """The predictions for one file, joined as AssembleWith says."""
    answers = [call(body) for body in requests(content, settings)]
    if not settings["join_lines"]:
        return b"".join(answers)
    return b"".join(answer if answer.endswith(b"\n") else answer + b"\n" for answer in answers)


def requests(content: bytes, settings: dict[str, Any]) -> Iterator[bytes]:
    """The bodies that one file is sent as."""
    if not settings["by_line"]:
        yield content
        return
    batch: list[bytes] = []
    size = 0
    for line in content.splitlines(keepends=True):
        if batch and (settings["single_record"] or size + len(line) > settings["max_bytes"]):
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield b"".join(batch)


if __name__ == "__main__":
    main(sys.argv[1])
