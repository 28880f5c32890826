"""Program of a Lambda step: invoke.py MODULE:FUNCTION EVENT_FILE RESULT_FILE, started in the project's folder.

It imports nothing of ours, so that the function sees only its own modules.
"""

import importlib
import json
import sys
from pathlib import Path


def main(handler: str, event: str, result: str) -> None:
    """Call the function with the event and write what it returns."""
    sys.path.insert(0, str(Path.cwd()))
    module, _, function = handler.partition(":")
    response = getattr(importlib.import_module(module), function)(json.loads(Path(event).read_text("utf-8")), None)
    Path(result).write_text(json.dumps(response), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
