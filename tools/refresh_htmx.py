"""Replace the htmx in ``static/``: ``python -m tools.refresh_htmx [VERSION]``; needs npm.

Without a version it takes the newest stable release.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

STATIC = Path(__file__).parents[1] / "static"


def refresh(version: str) -> str:
    """Fetch one release of htmx into ``static/`` and return its version."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", f"htmx.org@{version}", "--json", "--pack-destination", folder]
        packed = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)[0]
        with tarfile.open(Path(folder) / packed["filename"]) as archive:
            for member, name in (("dist/htmx.min.js", "htmx.min.js"), ("LICENSE", "htmx.LICENSE")):
                file = archive.extractfile(f"package/{member}")
                if file is None:
                    raise SystemExit(f"htmx {packed['version']} has no {member}; see what its package holds now.")
                (STATIC / name).write_bytes(file.read())
    (STATIC / "htmx.version").write_text(packed["version"] + "\n")
    return str(packed["version"])


if __name__ == "__main__":
    print("htmx", refresh(sys.argv[1] if len(sys.argv) > 1 else "latest"))
