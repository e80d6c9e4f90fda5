"""Look at several things side by side, each within its own time, and come back whatever happens."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from .finding import Finding, tell


def side_by_side(
    work: Mapping[str, Callable[[], Iterable[Finding]]], seconds: float
) -> Iterator[tuple[str, list[Finding]]]:
    """The findings of each piece of work, by its name; what is late, or breaks, ends in a finding that says so."""
    end = time.monotonic() + seconds
    found: dict[str, list[Finding]] = {name: [] for name in work}
    threads = {
        name: threading.Thread(target=_gather, args=(name, look, found[name]), daemon=True)
        for name, look in work.items()
    }
    for thread in threads.values():
        thread.start()
    for name, thread in threads.items():
        thread.join(max(0.0, end - time.monotonic()))
        late = [tell(f"{name}.time.unknown", reason="time", seconds=f"{seconds:.0f}")]
        yield name, [*found[name], *(late if thread.is_alive() else [])]


def _gather(name: str, look: Callable[[], Iterable[Finding]], found: list[Finding]) -> None:
    try:
        for finding in look():
            found.append(finding)
    # What comes from outside is hostile: whatever a reader of it stumbles over ends as a finding, never as a trace.
    except Exception as error:
        found.append(tell(f"{name}.trouble.unknown", reason="trouble", kind=type(error).__name__))
