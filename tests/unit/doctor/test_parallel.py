"""Several things at once, and each comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask_optout.doctor.finding import Finding, tell
from flask_optout.doctor.parallel import side_by_side


def well() -> Iterator[Finding]:
    yield tell("doors.headers")


def breaks() -> Iterator[Finding]:
    yield tell("doors.headers")
    raise KeyError("secret")


def lasts() -> Iterator[Finding]:
    yield tell("doors.headers")
    time.sleep(2)


def test_what_is_late_or_breaks_ends_in_a_finding_that_says_so() -> None:
    found = dict(side_by_side({"doors.a": well, "doors.b": breaks, "doors.c": lasts}, 0.3))
    assert [finding.id for finding in found["doors.a"]] == ["doors.headers"]
    assert [finding.id for finding in found["doors.b"]] == ["doors.headers", "doors.b.trouble.unknown"]
    assert [finding.id for finding in found["doors.c"]] == ["doors.headers", "doors.c.time.unknown"]
    assert found["doors.b"][1].seen == "Could not tell: the rest cannot be read (KeyError)"
    assert found["doors.c"][1].seen == "Could not tell: the rest took longer than 0 seconds"
