"""The Email Log: every invitation is found again, at any depth, and none is kept for ever."""

from __future__ import annotations

import datetime
import smtplib
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import sqlalchemy as sa

from flask_optout.choices.store import Store
from flask_optout.email_log import records as email_log
from flask_optout.email_log.records import SLOT, EmailLog, id_at, make_id, now
from flask_optout.email_log.resending import Resends
from flask_optout.email_log.search import Criteria, Search
from tests.support.email_log import TABLES, record


def kept(store: Store) -> list[tuple[int, str | None]]:
    """Rows and failures, the newest first."""
    return [(entry.id, entry.failure) for entry in Search(store, TABLES).find(Criteria()).entries]


def test_an_invitation_is_kept_as_it_was_with_slots_for_links(log: EmailLog) -> None:
    before = whole(now())
    id = record(log, to="Jane.Doe@Example.ORG", subject="Grüße 🎉", text="a\0b")
    email = log.get(id)
    assert email is not None
    assert before <= email.time <= now()
    assert (email.recipient, email.mailbox) == ("Jane.Doe@example.org", "jane.doe@example.org")
    assert (email.subject, email.text, email.html) == ("Grüße 🎉", "a\0b", "<p>Come and try it.</p>")
    assert email.headers == f"From: team@example.org\nList-Unsubscribe: {SLOT}"
    assert (email.header("from"), email.header("Reply-To")) == ("team@example.org", None)
    assert email.failure is None
    assert log.get(id + 1) is None


def test_a_failure_stands_on_its_row(log: EmailLog, store: Store) -> None:
    failed, other = record(log), record(log)
    log.record_failure(failed, smtplib.SMTPDataError(554, b"no"))
    assert kept(store) == [(other, None), (failed, "SMTPDataError 554")]


def test_what_is_old_is_deleted_in_bounded_batches(
    log: EmailLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_log, "BATCH", 3)
    days = iter([91] * 4 + [90.1] * 4 + [89.9, 0])
    monkeypatch.setattr(
        email_log, "make_id", lambda: id_at(now() - datetime.timedelta(days=next(days))) + make_id() % 1024
    )
    ids = [record(log) for _ in range(10)]
    assert log.count_outdated(90) == 8 and list(log.prune(90)) == [3, 3, 2]
    assert kept(store) == [(ids[9], None), (ids[8], None)]
    assert store.read(lambda connection: connection.scalar(sa.select(sa.func.count(TABLES.email.c.id)))) == 2
    assert log.count_outdated(90) == 0 and list(log.prune(90)) == []


def whole(moment: datetime.datetime) -> datetime.datetime:
    """The minute of a moment."""
    return moment.replace(second=0, microsecond=0)


def test_of_many_at_once_one_is_sent(log: EmailLog, store: Store) -> None:
    resends, email = Resends(store, TABLES), log.get(record(log))
    assert email
    together = Barrier(8)

    def begin(_: int) -> int | None:
        together.wait()
        return resends.begin(email, "Olga")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(begin, range(8)))
    assert sorted(map(str, answers)) == ["1"] + ["None"] * 7


def test_who_had_something_sent_again_is_known_as_long_as_the_candidate_is(log: EmailLog, store: Store) -> None:
    resends = Resends(store, TABLES)
    kept, gone = log.get(record(log, "kept@x.org")), log.get(record(log, "gone@x.org"))
    assert kept and gone
    for email in (kept, gone):
        resends.begin(email, "Olga")
    table = TABLES.email
    store.record(lambda connection: connection.execute(table.delete().where(table.c.id == gone.id)))
    resends.prune()
    assert (len(resends.find(kept)), len(resends.find(gone))) == (1, 0)
