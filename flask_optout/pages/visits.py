"""An opt-in log of visits to candidates' pages, for learning what mail gateways do.

It names nobody: a keyed fingerprint stands for the link, and a label for the browser. One JSON object a line, one
file a day; a day's file stops growing at a megabyte, and a file goes after two weeks.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..links.keys import KeyRing
from ..links.tokens import Claim

#: Bytes of one day's file.
LARGEST = 2**20
#: Days for which files are kept.
KEPT = 14


class VisitLog:
    """The visit log of one app.

    :param folder: where its files stand; it is made when it is missing.
    """

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._folder = folder
        self._key = ring.current.derive("visits")

    def write(self, claim: Claim, now: float, visit: Mapping[str, object]) -> None:
        """Add one visit.

        :param now: seconds since the epoch.
        :raises OSError: when the file cannot be written.
        """
        time = datetime.datetime.fromtimestamp(now, datetime.UTC)
        file = self._folder / f"visits-{time:%Y-%m-%d}.jsonl"
        if not file.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._prune(time.date())
        elif file.stat().st_size >= LARGEST:
            return
        link = hashlib.blake2b(claim.payload, digest_size=8, key=self._key).hexdigest()
        line = json.dumps({"time": f"{time:%Y-%m-%dT%H:%M:%SZ}", "link": link, **visit})
        with file.open("a") as log:
            log.write(line + "\n")

    def _prune(self, today: datetime.date) -> None:
        oldest = f"visits-{today - datetime.timedelta(KEPT)}.jsonl"
        for file in self._folder.glob("visits-*.jsonl"):
            if file.name < oldest:
                file.unlink(missing_ok=True)
