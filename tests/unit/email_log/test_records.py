"""An invitation is kept as it was, without its link, and comes back as it was; none is kept for ever."""

from __future__ import annotations

import datetime
import smtplib

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from flask_optout import StoreUnavailable
from flask_optout.addresses import parse
from flask_optout.choices.store import Store
from flask_optout.email_log import records as module
from flask_optout.email_log.records import (
    MOST_RESENDS,
    SLOT,
    EmailLog,
    Outgoing,
    Resend,
    Resends,
    cut,
    filled,
    folded,
    masked,
    reason,
    refusal,
)
from flask_optout.email_log.tables import PER_MINUTE, id_at, new_id, now, time_of
from tests.support.email_log import TABLES, record

TOKEN = "a2" * 60
LINK = f"https://x.example/optout/{TOKEN}"
TODAY, YESTERDAY, LONG_AGO = (id_at(now() - datetime.timedelta(days)) for days in (0, 1, 99))
PIECES = st.lists(st.sampled_from([LINK, TOKEN, SLOT, "[[", '"]', "\\", "\0", "\n", "ä"]) | st.text(max_size=9))


@given(PIECES.map("".join))
@example(SLOT)
@example("")
def test_a_text_comes_back_as_it_was(text: str) -> None:
    pieces = cut(text, LINK)
    assert TOKEN not in pieces and "\0" not in pieces
    assert filled(pieces, LINK) == text
    assert filled(pieces) == text.replace(LINK, SLOT).replace(TOKEN, SLOT)


@given(PIECES.map("".join))
def test_a_fresh_link_stands_wherever_the_old_one_stood(text: str) -> None:
    fresh = f"https://y.example/optout/{TOKEN[::-1]}"
    assert filled(cut(text, LINK), fresh) == text.replace(LINK, fresh).replace(TOKEN, TOKEN[::-1])


@pytest.mark.parametrize(
    ("value", "shows"),
    [(LINK, SLOT), (f"see {LINK}!", f"see {SLOT}!"), (f"https%3A%2F%2Fx%2F{TOKEN}", f"https%3A%2F%2Fx%2F{SLOT}")],
)
def test_a_header_shows_where_a_link_stood(value: str, shows: str) -> None:
    assert masked(value, (LINK, "https://x.example/optout/one-click/b3")) == shows


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (smtplib.SMTPDataError(554, b"no jane@example.org"), "SMTPDataError 554"),
        (smtplib.SMTPRecipientsRefused({"jane@example.org": (550, b"no")}), "SMTPRecipientsRefused 550"),
        (smtplib.SMTPRecipientsRefused({"jane@example.org": (550, b"5.1.1 no")}), "SMTPRecipientsRefused 550 5.1.1"),
        (smtplib.SMTPDataError(552, "5.2.2 jane@example.org is full"), "SMTPDataError 552 5.2.2"),
        (smtplib.SMTPDataError(554, b"5.7.1234 no"), "SMTPDataError 554"),
        (smtplib.SMTPRecipientsRefused({}), "SMTPRecipientsRefused"),
        (smtplib.SMTPServerDisconnected("jane@example.org"), "SMTPServerDisconnected"),
        (ConnectionRefusedError(111, "jane@example.org"), "ConnectionRefusedError"),
        (type("E" * 200, (Exception,), {})(), "E" * 80),
    ],
)
def test_a_failure_is_named_without_an_address(error: BaseException, kept: str) -> None:
    assert reason(error) == kept


@pytest.mark.parametrize(
    ("text", "folds"),
    [("Zoë ADÉ", "zoe ade"), ("Straße", "strasse"), ("O\u2019Brien", "o'brien"), ("\uff2a\ufb01", "jfi")],
)
def test_words_are_compared_without_case_accents_and_typographic_apostrophes(text: str, folds: str) -> None:
    assert folded(text) == folds


def test_ids_of_one_moment_do_not_collide(log: EmailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([7, 7, 7, 8])
    monkeypatch.setattr(module, "new_id", lambda: next(draws))
    assert [record(log), record(log)] == [7, 8]


def test_an_error_shows_neither_an_address_nor_the_statement() -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.NullPool)
    log = EmailLog(Store(lambda: engine, lambda: None), TABLES)
    with pytest.raises(StoreUnavailable, match="flask optout init-db") as caught:
        record(log)
    assert caught.value.__suppress_context__
    assert "jane" not in str(caught.value)


def test_it_comes_back_as_it_was_with_slots_for_links(log: EmailLog) -> None:
    headers = [("Reply-To", "a@x.org"), ("List-Unsubscribe", "<https://x/1>"), ("X-Link", f"see {LINK}")]
    text = f"Come: {LINK}"
    id = record(
        log, ("Jane", "Jane@X.org"), headers=headers, text=text, html=None, links=(LINK,), attachments=["a\nb"]
    )
    email = log.get(id)
    assert email is not None and log.get(id + 1) is None
    assert (email.name, email.recipient, email.mailbox) == ("Jane", "Jane@x.org", "jane@x.org")
    assert (email.text, email.html, email.attachments) == (f"Come: {SLOT}", None, "a b")
    assert email.headers == f"Reply-To: a@x.org\nList-Unsubscribe: {SLOT}\nX-Link: see {SLOT}"
    assert [email.header(name) for name in ("reply-to", "X-LINK", "X-None")] == ["a@x.org", f"see {SLOT}", None]
    assert (email.failure, email.time) == (None, time_of(id))


def test_rows_of_one_call_are_written_in_the_order_of_their_random_ids(store: Store) -> None:
    log = EmailLog(store, TABLES)
    people = [parse(f"p{number}@x.org") for number in range(9)]
    ids = log.record([Outgoing(to, "beta-42", "", "", [], None, None, ("https://x/1",)) for to in people])
    written = sa.select(TABLES.email.c.id).order_by(sa.text("rowid"))
    assert [id for (id,) in log.rows(written)] == sorted(ids)
    assert [email.recipient for id in ids if (email := log.get(id))] == [to.deliverable for to in people]


def test_what_was_not_begun_is_forgotten_and_what_failed_says_why(log: EmailLog) -> None:
    gone, failed = record(log), record(log)
    log.forget([gone])
    log.record_failure(failed, smtplib.SMTPDataError(554, b"no"))
    email = log.get(failed)
    assert log.get(gone) is None and email is not None and email.failure == "SMTPDataError 554"


def test_who_was_invited_is_known_by_day_and_by_domain(log: EmailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    for to in ("a@x.org", "B@x.org", "c@y.org", "a@x.org"):
        record(log, to)
    today = now().date()
    assert list(log.invited_between(today, today)) == ["a@x.org", "b@x.org", "c@y.org", "a@x.org"]
    assert list(log.invited_between(today - datetime.timedelta(9), today - datetime.timedelta(1))) == []
    assert log.invited_at("x.org") == [("B@x.org", "beta-42"), ("a@x.org", "beta-42")]


def test_what_is_old_is_deleted_batch_by_batch(log: EmailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    days = iter([8.0, 8.0, 8.0, 6.9, 0.0])
    ago = (id_at(now() - datetime.timedelta(each)) + new_id() % PER_MINUTE for each in days)
    monkeypatch.setattr(module, "new_id", lambda: next(ago))
    ids = [record(log) for _ in range(5)]
    assert log.outdated(7) == 3 and list(log.prune(7)) == [2, 1]
    assert [log.get(id) is not None for id in ids] == [False] * 3 + [True] * 2
    assert log.outdated(7) == 0 and list(log.prune(7)) == []


@pytest.mark.parametrize(
    ("earlier", "refused"),
    [
        ([], None),
        ([(YESTERDAY, None)], None),
        ([(TODAY, None)], "today"),
        ([(TODAY, "SMTPServerDisconnected")], None),
        ([(TODAY, None), (TODAY, "SMTPServerDisconnected")], "today"),
        ([(LONG_AGO, None), (LONG_AGO, None)], None),
        ([(LONG_AGO, None), (LONG_AGO, None), (YESTERDAY, None)], "often"),
        ([(LONG_AGO, None), (LONG_AGO, None), (TODAY, None)], "often"),
        ([(TODAY, "SMTPServerDisconnected")] * 9, None),
    ],
)
def test_why_one_more_may_not_be_sent(earlier: list[tuple[int, str | None]], refused: str | None) -> None:
    rows = [Resend(number, moment, "Olga", failure) for number, (moment, failure) in enumerate(earlier, 1)]
    assert refusal(rows) == refused


def test_sending_again_is_bounded_for_each_candidate_and_opportunity(
    log: EmailLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    resends = Resends(store, TABLES)
    first, second = (log.get(record(log, to)) for to in ("jane@x.org", "JANE@x.org"))
    other, elsewhere = log.get(record(log, "bob@x.org")), log.get(record(log, "jane@x.org", "study-7"))
    assert first and second and other and elsewhere
    assert resends.begin(first, "Olga") == 1
    assert resends.begin(second, "Olga") is None
    assert resends.begin(other, "Olga") == resends.begin(elsewhere, "Olga") == 1
    for day in range(1, MOST_RESENDS):
        later = now() + datetime.timedelta(days=day, minutes=1)
        monkeypatch.setattr(module, "now", lambda later=later: later)
        monkeypatch.setattr(module, "new_id", lambda later=later: id_at(later))
        assert resends.begin(second, "Otto") == day + 1
    monkeypatch.setattr(module, "now", lambda: now() + datetime.timedelta(days=999))
    assert resends.begin(first, "Olga") is None
    assert [resend.operator for resend in resends.of(first)] == ["Olga", "Otto", "Otto"]


def test_a_failed_hand_off_does_not_count(log: EmailLog, store: Store) -> None:
    resends, email = Resends(store, TABLES), log.get(record(log))
    assert email
    for number in (1, 2, 3, 4):
        assert resends.begin(email, "Olga") == number
        resends.record_failure(email, number, smtplib.SMTPServerDisconnected())
    assert resends.begin(email, "Olga") == 5
    assert resends.begin(email, "Olga") is None


def test_candidates_whose_invitations_are_gone_are_forgotten(log: EmailLog, store: Store) -> None:
    resends = Resends(store, TABLES)
    kept, gone = log.get(record(log, "kept@x.org")), log.get(record(log, "gone@x.org"))
    assert kept and gone
    for email in (kept, gone):
        resends.begin(email, "O" * 99)
    log.forget([gone.id])
    resends.prune()
    assert [resend.operator for resend in resends.of(kept)] == ["O" * 80] and resends.of(gone) == []
