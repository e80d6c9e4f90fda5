"""The ways in which the bulk filter finds mutes."""

from __future__ import annotations

import pytest

from flask_optout.choices import bulk, repository

#: The bounds that make a run of thirty addresses in chunks of five look in each place.
WAYS = {
    "all in a set": {"WORTH": 1_000},
    "in a set, once it is worth it": {"WORTH": 1},
    "in the table": {"WORTH": 0},
    "in the table, as they are too many": {"LARGEST_SET": 2},
}


def take(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the filter go this way."""
    monkeypatch.setattr(bulk, "CHUNK", 5)
    monkeypatch.setattr(bulk, "MAX_AGE", 0.0)
    for name in ("BATCH", "ARRAY"):
        monkeypatch.setattr(repository, name, 2)
    for name, value in WAYS[way].items():
        monkeypatch.setattr(bulk, name, value)
