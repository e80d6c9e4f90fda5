"""An invitation is sent again once a day and three times in all, and a failed hand-off does not count."""

from __future__ import annotations

import datetime
import smtplib

import pytest

from flask_optout.choices.store import Store
from flask_optout.email_log import resending as module
from flask_optout.email_log.records import EmailLog, id_at, now
from flask_optout.email_log.resending import MOST_RESENDS, Resend, Resends, find_refusal
from tests.support.email_log import TABLES, record

TODAY, YESTERDAY, LONG_AGO = (id_at(now() - datetime.timedelta(days)) for days in (0, 1, 99))


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
    assert find_refusal(rows) == refused


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
        monkeypatch.setattr(module, "make_id", lambda later=later: id_at(later))
        assert resends.begin(second, "Otto") == day + 1
    monkeypatch.setattr(module, "now", lambda: now() + datetime.timedelta(days=999))
    assert resends.begin(first, "Olga") is None
    assert [resend.operator for resend in resends.find(first)] == ["Olga", "Otto", "Otto"]


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
    assert [resend.operator for resend in resends.find(kept)] == ["O" * 80] and resends.find(gone) == []
