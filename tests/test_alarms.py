"""Cohort alarms: a domain and a number rounded down, never a person."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.presses.domain_alarm import KEPT, PUBLIC
from flask_optout.presses.judge import COHORT_WINDOW
from flask_optout.presses.signals import cohort_alarm
from flask_optout.wiring import current_state
from tests.support.hosts import Host


@pytest.fixture
def heard() -> Iterator[list[int]]:
    numbers: list[int] = []

    def note(app: object, at_least: int) -> None:
        numbers.append(at_least)

    with cohort_alarm.connected_to(note):
        yield numbers


def mute(host: Host, *people: str, opportunity: str = "beta-42") -> None:
    client = host.app.test_client()
    for to in people:
        form = host.form("mute", to, opportunity)
        assert client.post(host.path(to, opportunity), data=form).status_code == 303


def staff(count: int, domain: str = "acme.example") -> list[str]:
    return [f"person{number}@{domain}" for number in range(count)]


def alarms(host: Host, *invited: str) -> list[tuple[str, int]]:
    return [(alarm.domain, alarm.at_least) for alarm in current_state().alarms.of(map(parse, invited))]


def test_three_colleagues_within_five_minutes_raise_it_once(
    host: Host, heard: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    mute(host, *staff(2))
    assert heard == []
    mute(host, *staff(9)[2:])
    assert heard == [3]
    assert "At least 3 recipients" in caplog.text
    assert "acme" not in caplog.text and "person" not in caplog.text.replace("recipients", "")


def test_one_person_is_no_cohort_nor_are_people_of_three_domains(host: Host, heard: list[int]) -> None:
    for opportunity in ("beta-42", "study-7", "beta-43", "beta-44"):
        mute(host, "jane@acme.example", opportunity=opportunity)
    mute(host, "jane@a.example", "jane@b.example", "jane@c.example")
    assert heard == []


def test_nor_are_three_in_an_hour(host: Host, heard: list[int]) -> None:
    for to in staff(3):
        mute(host, to)
        host.wait(COHORT_WINDOW)
    assert heard == []


def test_nor_are_the_users_of_a_public_mail_service(host: Host, heard: list[int]) -> None:
    mute(host, *staff(5, PUBLIC.split()[2]))
    assert heard == []


def test_a_mail_programs_button_counts_too(host: Host, heard: list[int]) -> None:
    for to in staff(3):
        url = current_state().links.url(Door.ONE_CLICK, parse(to), "beta-42")
        assert host.app.test_client().post(url, data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert heard == [3]


@pytest.mark.parametrize(
    ("muted", "invited", "told"),
    [(3, 4, []), (3, 5, [("acme.example", 3)]), (5, 5, [("acme.example", 3)]), (7, 20, [("acme.example", 5)])],
)
def test_it_names_a_domain_of_five_or_more_and_a_number_below_all_of_them(
    host: Host, muted: int, invited: int, told: list[tuple[str, int]]
) -> None:
    mute(host, *staff(muted))
    assert alarms(host, *staff(invited), "jane@other.example", *staff(5, "quiet.example")) == told


def test_the_same_person_twice_does_not_make_a_domain_larger(host: Host) -> None:
    mute(host, *staff(3))
    assert alarms(host, *staff(4), *(to.upper() for to in staff(4))) == []


def test_a_notice_goes_once_a_week_alarm_or_not(host: Host) -> None:
    store = current_state().alarms
    mute(host, *staff(3))
    assert store.take_notice("acme.example") and not store.take_notice("acme.example")
    assert store.take_notice("quiet.example") and not store.take_notice("quiet.example")
    assert alarms(host, *staff(5), *staff(5, "quiet.example")) == [("acme.example", 3)]


def test_an_alarm_is_kept_for_a_month(host: Host) -> None:
    mute(host, *staff(3))
    with host.db.engine.begin() as connection:
        old = datetime.date.today() - datetime.timedelta(KEPT + 2)
        connection.execute(sa.text("update optout_alarm set day = :day"), {"day": old})
    mute(host, *staff(3, "other.example"))
    assert alarms(host, *staff(5), *staff(5, "other.example")) == [("other.example", 3)]
