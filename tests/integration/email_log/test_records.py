"""The Email Log: every invitation is found again, at any depth, and none is kept for ever."""

from __future__ import annotations

import datetime
import smtplib
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import StoreUnavailable
from flask_optout.choices.store import Store
from flask_optout.email_log import records as email_log
from flask_optout.email_log.ids import EPOCH, LARGEST_ID, PER_MINUTE, id_at, new_id, now, time_of
from flask_optout.email_log.records import EmailLog, reason
from flask_optout.email_log.resends import MOST, Refusal, Resends
from flask_optout.email_log.search import Criteria, Search
from flask_optout.email_log.slots import SLOT
from tests.support.email_log import TABLES, record


def kept(store: Store) -> list[tuple[int, str | None]]:
    """Rows and failures, the newest first."""
    return [(entry.id, entry.failure) for entry in Search(store, TABLES).page(Criteria()).entries]


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


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (smtplib.SMTPDataError(554, b"no jane@example.org"), "SMTPDataError 554"),
        (smtplib.SMTPRecipientsRefused({"jane@example.org": (550, b"no")}), "SMTPRecipientsRefused 550"),
        (smtplib.SMTPRecipientsRefused({}), "SMTPRecipientsRefused"),
        (smtplib.SMTPServerDisconnected("jane@example.org"), "SMTPServerDisconnected"),
        (ConnectionRefusedError(111, "jane@example.org"), "ConnectionRefusedError"),
        (type("E" * 200, (Exception,), {})(), "E" * 80),
    ],
)
def test_a_failure_is_named_without_an_address(error: BaseException, kept: str) -> None:
    assert reason(error) == kept


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
        email_log, "new_id", lambda: id_at(now() - datetime.timedelta(days=next(days))) + new_id() % 1024
    )
    ids = [record(log) for _ in range(10)]
    assert log.outdated(90) == 8 and list(log.prune(90)) == [3, 3, 2]
    assert kept(store) == [(ids[9], None), (ids[8], None)]
    assert store.read(lambda connection: connection.scalar(sa.select(sa.func.count(TABLES.email.c.id)))) == 2
    assert log.outdated(90) == 0 and list(log.prune(90)) == []


def test_ids_of_one_moment_do_not_collide(log: EmailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([7, 7, 7, 8])
    monkeypatch.setattr(email_log, "new_id", lambda: next(draws))
    assert [record(log), record(log)] == [7, 8]


def whole(moment: datetime.datetime) -> datetime.datetime:
    """The minute of a moment."""
    return moment.replace(second=0, microsecond=0)


@given(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC)))
def test_ids_and_moments_are_the_same_thing(moment: datetime.datetime) -> None:
    assert time_of(id_at(moment)) == time_of(id_at(moment) + PER_MINUTE - 1) == whole(moment)
    assert id_at(moment) < LARGEST_ID


def test_an_id_fits_its_column_for_ever() -> None:
    assert id_at(datetime.datetime.max.replace(tzinfo=datetime.UTC)) == LARGEST_ID
    assert id_at(EPOCH) == 0


def test_an_error_shows_neither_an_address_nor_the_statement() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    log = EmailLog(Store(lambda: engine, lambda: None), TABLES)
    with pytest.raises(StoreUnavailable, match="flask optout init-db") as caught:
        record(log)
    assert caught.value.__suppress_context__
    assert "jane" not in str(caught.value)


def test_sending_again_is_bounded_for_each_candidate_and_opportunity(
    log: EmailLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    resends = Resends(store, TABLES)
    first, second = (log.get(record(log, to)) for to in ("jane@x.org", "JANE@x.org"))
    other, elsewhere = log.get(record(log, "bob@x.org")), log.get(record(log, "jane@x.org", "study-7"))
    assert first and second and other and elsewhere
    assert resends.begin(first, "Olga") == 1
    assert resends.begin(second, "Olga") is Refusal.TODAY
    assert resends.begin(other, "Olga") == resends.begin(elsewhere, "Olga") == 1
    for day in range(1, MOST):
        later = now() + datetime.timedelta(days=day, minutes=1)
        monkeypatch.setattr("flask_optout.email_log.resends.now", lambda later=later: later)
        monkeypatch.setattr("flask_optout.email_log.resends.new_id", lambda later=later: id_at(later))
        assert resends.begin(second, "Otto") == day + 1
    monkeypatch.setattr("flask_optout.email_log.resends.now", lambda: now() + datetime.timedelta(days=999))
    assert resends.begin(first, "Olga") is Refusal.OFTEN
    assert [(resend.number, resend.operator) for resend in resends.of(first)] == [
        (1, "Olga"),
        (2, "Otto"),
        (3, "Otto"),
    ]


def test_a_failed_hand_off_does_not_count(log: EmailLog, store: Store) -> None:
    resends, email = Resends(store, TABLES), log.get(record(log))
    assert email
    for number in (1, 2, 3, 4):
        assert resends.begin(email, "Olga") == number
        resends.record_failure(email, number, smtplib.SMTPServerDisconnected())
    assert resends.begin(email, "Olga") == 5
    assert resends.begin(email, "Olga") is Refusal.TODAY


def test_of_many_at_once_one_is_sent(log: EmailLog, store: Store) -> None:
    resends, email = Resends(store, TABLES), log.get(record(log))
    assert email
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: resends.begin(email, "Olga"), range(8)))
    assert sorted(map(str, answers)) == ["1"] + ["today"] * 7


def test_who_had_something_sent_again_is_known_as_long_as_the_candidate_is(log: EmailLog, store: Store) -> None:
    resends = Resends(store, TABLES)
    kept, gone = log.get(record(log, "kept@x.org")), log.get(record(log, "gone@x.org"))
    assert kept and gone
    for email in (kept, gone):
        resends.begin(email, "Olga")
    table = TABLES.email
    store.record(lambda connection: connection.execute(table.delete().where(table.c.id == gone.id)))
    resends.prune()
    assert (len(resends.of(kept)), len(resends.of(gone))) == (1, 0)
