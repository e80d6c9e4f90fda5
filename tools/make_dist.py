"""Build wheel and sdist for a release: ``python -m tools.make_dist [FOLDER]``; they go into ``dist`` unless told.

From the same commit, with the same tools, they are the same bytes, whoever builds them and when. setuptools leaves
the time of day and the builder in the sdist, so it is packed once more, and the wheel is made from what is in it.
"""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def make_dist(folder: Path) -> tuple[Path, Path]:
    """Wheel and sdist, with the time of the commit for a clock.

    :param folder: holds no others yet.
    """
    time = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=ROOT, text=True).strip()
    _build("--sdist", ROOT, folder, time)
    [sdist] = folder.glob("*.tar.gz")
    repack(sdist, int(time))
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(sdist) as archive:
        archive.extractall(scratch, filter="data")
        _build("--wheel", next(Path(scratch).iterdir()), folder, time)
    [wheel] = folder.glob("*.whl")
    return wheel, sdist


def _build(what: str, source: Path, folder: Path, time: str) -> None:
    command: list[str | Path] = [sys.executable, "-m", "build", what, "--outdir", folder, source]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": time}
    # The files that setuptools writes get the builder's mask, and the archive their modes.
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment, umask=0o022)


def repack(sdist: Path, time: int) -> None:
    """Put the same files into the archive in the order of their names, as nobody's and of this time."""
    packed = io.BytesIO()
    with tarfile.open(sdist) as old, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = time, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member))
    # Without a time and a file name in its header.
    sdist.write_bytes(gzip.compress(packed.getvalue(), mtime=0))


if __name__ == "__main__":
    for made in make_dist(Path(sys.argv[1] if len(sys.argv) > 1 else "dist")):
        print(made)
