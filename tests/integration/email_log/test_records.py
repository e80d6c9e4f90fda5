"""The Email Log: every invitation is found again, at any depth, and none is kept for ever."""

from __future__ import annotations

import datetime
import smtplib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import StoreUnavailable
from flask_optout.addresses import parse
from flask_optout.choices.store import Store
from flask_optout.email_log import records as email_log
from flask_optout.email_log.ids import EPOCH, LARGEST_ID, PER_MINUTE, id_at, new_id, now, time_of
from flask_optout.email_log.records import PAGE, Criteria, EmailLog, Outgoing, reason
from flask_optout.email_log.resends import MOST, Refusal, Resends
from flask_optout.email_log.slots import SLOT
from flask_optout.email_log.tables import LogTables
from tests.support.databases import Database

TABLES = LogTables(sa.MetaData())


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    engine = sa.create_engine(database.url)
    for table in TABLES.all():
        table.create(engine)
    yield Store(lambda: engine, lambda: None)
    engine.dispose()


@pytest.fixture(autouse=True)
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of one minute have no order; those of these tests have the one in which they were written."""
    numbers = count()
    monkeypatch.setattr(email_log, "new_id", lambda: id_at(now()) + next(numbers))


@pytest.fixture
def log(store: Store) -> EmailLog:
    return EmailLog(store, TABLES)


def record(log: EmailLog, to: str = "jane@example.org", opportunity: str = "beta-42", **fields: Any) -> int:
    given = {
        "subject": "Join us",
        "message_id": "<1@example.org>",
        "headers": [("From", "team@example.org"), ("List-Unsubscribe", "<https://x/1>")],
        "text": "Come and try it.",
        "html": "<p>Come and try it.</p>",
        "links": ("https://x/none",),
        **fields,
    }
    [id] = log.record([Outgoing(parse(to), opportunity, **given)])
    return id


def found(log: EmailLog, **wanted: Any) -> list[int]:
    return [entry.id for entry in log.search(Criteria(**wanted)).entries]


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


def test_a_failure_stands_on_its_row(log: EmailLog) -> None:
    failed, other = record(log), record(log)
    log.record_failure(failed, smtplib.SMTPDataError(554, b"no"))
    assert [(entry.id, entry.failure) for entry in log.search(Criteria()).entries] == [
        (other, None),
        (failed, "SMTPDataError 554"),
    ]


def test_filters_narrow_alone_and_together(log: EmailLog) -> None:
    ids = [
        record(log, to, opportunity, subject=subject)
        for to, opportunity, subject in [
            ("jane@x.org", "beta-42", "Join us, Jane"),
            ("jane@x.org", "study-7", "Sleep well"),
            ("josé@x.org", "beta-42", "ÄRGER und FREUDE"),
            ("jose@x.org", "Beta-42", "100% of_it \\ yours"),
        ]
    ]
    cases: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [0, 1, 2, 3]),
        ({"mailbox": "jane@x.org"}, [0, 1]),
        ({"mailbox": "jose@x.org"}, [3]),
        ({"mailbox": "jane@x"}, []),
        ({"mailbox": "%"}, []),
        ({"opportunity": "beta-42"}, [0, 2]),
        ({"mailbox": "jane@x.org", "opportunity": "beta-42"}, [0]),
        ({"words": ("us", "jane")}, [0]),
        ({"words": ("ärger",)}, [2]),
        ({"words": ("100%", "of_it", "\\")}, [3]),
        ({"words": ("%",)}, [3]),
        ({"words": ("_",)}, [3]),
        ({"words": ("\\",)}, [3]),
        ({"words": ("*",)}, []),
        ({"words": ("' or 1=1",)}, []),
        ({"words": ("\0",)}, []),
        ({"since": ids[1]}, [1, 2, 3]),
        ({"until": ids[1]}, [0]),
        ({"since": ids[1], "until": ids[3], "words": ("e",)}, [1, 2]),
    ]
    for wanted, expected in cases:
        assert found(log, **wanted) == [ids[i] for i in reversed(expected)], wanted


def test_pages_stay_as_they_are_while_rows_arrive(log: EmailLog) -> None:
    ids = [record(log, f"p{i}@x.org") for i in range(2 * PAGE + 3)]
    first = log.search(Criteria())
    record(log)
    second = log.search(Criteria(), first.older)
    record(log)
    third = log.search(Criteria(), second.older)
    assert [entry.id for page in (first, second, third) for entry in page.entries] == ids[::-1]
    assert third.older is None
    assert len(first.entries) == len(second.entries) == PAGE


def test_a_page_of_words_looks_at_a_bounded_number_of_rows_and_says_how_far(
    log: EmailLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email_log, "WINDOW", 5)
    ids = [record(log, subject="needle" if i in (0, 7) else "hay") for i in range(9)]
    words = Criteria(words=("needle",))
    first = log.search(words)
    assert [entry.id for entry in first.entries] == [ids[7]]
    assert (first.older, first.searched_to) == (ids[4], time_of(ids[4]))
    second = log.search(words, first.older)
    assert [entry.id for entry in second.entries] == [ids[0]]
    assert (second.older, second.searched_to) == (None, None)


def test_opportunities_are_listed_once_each_by_name(log: EmailLog) -> None:
    assert log.opportunities(5) == []
    for to in ("a@x.org", "b@x.org", "A@x.org"):
        for opportunity in ("c", "a", "b"):
            record(log, to, opportunity)
    assert log.opportunities(5) == ["a", "b", "c"]
    assert log.opportunities(2) == ["a", "b"]


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
    assert found(log) == ids[:-3:-1]
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
