"""An invitation is kept as it was, without its link, and comes back as it was; none is kept for ever."""

from __future__ import annotations

import datetime
import re
import smtplib
import textwrap
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st

from flask_optout import StoreUnavailable
from flask_optout.addresses import parse
from flask_optout.choices.store import Store
from flask_optout.email_log import records as module
from flask_optout.email_log.records import (
    EPOCH,
    LARGEST_ID,
    PER_MINUTE,
    SLOT,
    EmailLog,
    LogPart,
    Outgoing,
    Times,
    classify_error,
    cut,
    fill,
    fold,
    id_at,
    make_id,
    mask,
    now,
    time_of,
)
from tests.support.email_log import TABLES, record

TOKEN = "a2" * 60
LINK = f"https://x.example/optout/{TOKEN}"
PIECES = st.lists(st.sampled_from([LINK, TOKEN, SLOT, "[[", '"]', "\\", "\0", "\n", "ä"]) | st.text(max_size=9))


@given(PIECES.map("".join))
@example(SLOT)
@example("")
def test_a_text_comes_back_as_it_was(text: str) -> None:
    pieces = cut(text, LINK)
    assert TOKEN not in pieces and "\0" not in pieces
    assert fill(pieces, LINK) == text
    assert fill(pieces) == text.replace(LINK, SLOT).replace(TOKEN, SLOT)


@given(PIECES.map("".join))
def test_a_fresh_link_stands_wherever_the_old_one_stood(text: str) -> None:
    token = "b3" * 60
    fresh = f"https://y.example/optout/{token}"
    assert fill(cut(text, LINK), fresh) == text.replace(LINK, fresh).replace(TOKEN, token)


@pytest.mark.parametrize("width", [40, 70, 72, 100])
@pytest.mark.parametrize("indent", ["", "> "])
def test_a_link_that_was_wrapped_is_kept_out_too(width: int, indent: str) -> None:
    """As by textwrap.fill() or Jinja's wordwrap filter, which a host may use on a whole text."""
    token = "aeatqwfp43gelxhm2wft3ygobrrrp46xzbzcsjx3eh5zyqqzzawax32srtpvmbtdmfwwk4tbjbss2iii2x4pcbgxb5it4bdbwi"
    link = f"https://jobs.example.org/optout/{token}"
    wrapped = textwrap.fill(f"See {link} and come.", width, subsequent_indent=indent)
    pieces = cut(wrapped, link)
    assert not any(token[at : at + 16] in pieces for at in range(len(token) - 16))
    assert re.fullmatch(r"See\s[\s\S]*\[personal link\][\s>]+and[\s>]+come\.", fill(pieces))
    assert token[::-1] in fill(pieces, f"https://jobs.example.org/optout/{token[::-1]}")


@pytest.mark.parametrize(
    ("value", "shows"),
    [
        (LINK, SLOT),
        (f"see {LINK}!", f"see {SLOT}!"),
        (f"https%3A%2F%2Fx%2F{TOKEN}", f"https%3A%2F%2Fx%2F{SLOT}"),
        (f"see {LINK.upper()}", f"see {SLOT}"),
    ],
)
def test_a_header_shows_where_a_link_stood(value: str, shows: str) -> None:
    assert mask(value, (LINK, "https://x.example/optout/one-click/b3")) == shows


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
    assert classify_error(error) == kept


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("Zoë ADÉ", "zoe ade"),
        ("Straße", "strasse"),
        ("O\u2019Brien", "o'brien"),
        ("\uff2a\ufb01", "jfi"),
        ("Łukasz ŻÓŁĆ", "lukasz zolc"),
        ("Søren ĐOKOVIĆ", "soren dokovic"),
        ("İpek Işık IŞIK", "ipek isik isik"),
    ],
)
def test_words_are_compared_without_case_accents_and_typographic_apostrophes(text: str, folds: str) -> None:
    assert fold(text) == folds


def test_ids_of_one_moment_do_not_collide(log: EmailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([7, 7, 7, 8])
    monkeypatch.setattr(module, "make_id", lambda: next(draws))
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
        log,
        ("Jane", "Jane@X.org"),
        headers=headers,
        text=text,
        html=None,
        links=(LINK,),
        attachments=["a\nb\0c\udcff"],
    )
    email = log.get(id)
    assert email is not None and log.get(id + 1) is None
    assert (email.name, email.recipient, email.mailbox) == ("Jane", "Jane@x.org", "jane@x.org")
    assert (email.text, email.html, email.attachments) == (f"Come: {SLOT}", None, "a b c")
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
    assert list(log.find_invited(today, today)) == ["a@x.org", "b@x.org", "c@y.org", "a@x.org"]
    assert list(log.find_invited(today - datetime.timedelta(9), today - datetime.timedelta(1))) == []
    assert log.find_invited_at("x.org") == [("B@x.org", "beta-42"), ("a@x.org", "beta-42")]


def test_what_is_old_is_deleted_batch_by_batch(log: EmailLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    days = iter([8.0, 8.0, 8.0, 6.9, 0.0])
    ago = (id_at(now() - datetime.timedelta(each)) + make_id() % PER_MINUTE for each in days)
    monkeypatch.setattr(module, "make_id", lambda: next(ago))
    ids = [record(log) for _ in range(5)]
    assert log.count_outdated(7) == 3 and list(log.prune(7)) == [2, 1]
    assert [log.get(id) is not None for id in ids] == [False] * 3 + [True] * 2
    assert log.count_outdated(7) == 0 and list(log.prune(7)) == []


def whole(moment: datetime.datetime) -> datetime.datetime:
    """The minute of a moment."""
    return moment.replace(second=0, microsecond=0)


@given(st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC)))
def test_ids_and_moments_are_the_same_thing(moment: datetime.datetime) -> None:
    assert time_of(id_at(moment)) == time_of(id_at(moment) + PER_MINUTE - 1) == whole(moment)
    assert id_at(moment) < LARGEST_ID


def test_an_id_fits_its_column_for_ever() -> None:
    assert id_at(EPOCH) == 0
    assert id_at(datetime.datetime.max.replace(tzinfo=datetime.UTC)) == LARGEST_ID < 2**63


def test_ids_of_one_minute_have_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = now()
    monkeypatch.setattr(module, "now", lambda: moment)
    ids = [make_id() for _ in range(50)]
    assert ids != sorted(ids) and len({*ids}) == 50 and {time_of(id) for id in ids} == {whole(moment)}


def test_a_part_reads_writes_and_says_when_it_cannot(store: Store) -> None:
    part, filters = LogPart(store, TABLES), TABLES.saved_filter
    part.change(filters.insert().values(name="One", query="q=1"))
    assert part.rows(sa.select(filters.c.query)) == [("q=1",)]
    engine = sa.create_engine("sqlite://")
    with pytest.raises(StoreUnavailable):
        LogPart(Store(lambda: engine, lambda: None), TABLES).rows(sa.select(filters))
    engine.dispose()


def test_a_moment_is_shown_by_the_wall_clock_to_the_minute() -> None:
    moment = datetime.datetime(2031, 12, 23, 23, 30, 59, tzinfo=datetime.UTC)
    assert Times(ZoneInfo("Europe/Berlin")).text(moment) == "2031-12-24 00:30"
