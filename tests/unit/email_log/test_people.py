"""What is held of one person: shown without links, and removed; others' rows stay."""

from __future__ import annotations

import pytest

from flask_optout.choices.store import Store
from flask_optout.email_log.people import People
from flask_optout.email_log.records import SLOT, EmailLog, now
from flask_optout.email_log.resending import Resends
from tests.support.email_log import TABLES, record

JANE = "jane@x.org"


@pytest.fixture
def people(store: Store) -> People:
    return People(store, TABLES)


def test_opportunities_come_newest_first_and_once(log: EmailLog, people: People) -> None:
    for opportunity in ("a", "b", "a", "c"):
        record(log, JANE, opportunity)
    record(log, "bob@x.org", "d")
    assert people.find_opportunities(JANE, 9) == ["c", "a", "b"] and people.find_opportunities(JANE, 2) == ["c", "a"]
    assert people.find_opportunities("nobody@x.org", 9) == []


def test_invitations_are_shown_whole_but_for_links(log: EmailLog, people: People) -> None:
    link = "https://x/optout/token"
    record(log, JANE, "a", text=f"See {link}", html=None, links=(link,))
    record(log, JANE, "b", text=None, html=f"<a href='{link}'>", links=(link,))
    record(log, "bob@x.org")
    (first, second), _ = people.collect(JANE)
    assert (first["text"], first["html"]) == (f"See {SLOT}", None)
    assert (second["text"], second["html"]) == (None, f"<a href='{SLOT}'>")
    assert first["opportunity"] == "a" and first["time"].endswith("+00:00")
    assert first.keys() == second.keys() and not {"id", "words", "domain"} & first.keys()


def test_what_is_held_is_erased_and_counted(log: EmailLog, store: Store, people: People) -> None:
    email = log.get(record(log, JANE))
    assert email is not None
    Resends(store, TABLES).begin(email, "Olga")
    bob = record(log, "bob@x.org")
    asked = TABLES.asked
    for slot in (b"1" * 16, b"2" * 16):
        log.change(asked.insert().values(day=now().date(), slot=slot, number=1))
    [_], [resent] = people.collect(JANE)
    assert resent == {"time": resent["time"], "opportunity": "beta-42", "operator": "Olga", "failure": None}
    assert [len(rows) for rows in people.collect("bob@x.org")] == [1, 0]
    people.erase(JANE, [b"1" * 16])
    assert people.collect(JANE) == ([], []) and log.get(bob) is not None
    assert [row.slot for row in log.rows(asked.select())] == [b"2" * 16]
