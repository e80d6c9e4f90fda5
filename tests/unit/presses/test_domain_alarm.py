"""Domain alarms: a domain and a number rounded down, a day late, never a person."""

from __future__ import annotations

import datetime

import pytest
import sqlalchemy as sa

from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.presses.domain_alarm import DAYS_KEPT, PUBLIC, WEEK, alarm_table
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import Host, say

pytestmark = pytest.mark.long

DAY = 86_400.0


def mute(host: Host, *people: str, opportunity: str = "beta-42") -> None:
    client = host.app.test_client()
    for to in people:
        form = host.form("mute", to, opportunity)
        assert client.post(host.path(to, opportunity), data=form).status_code == 303


def one_click(host: Host, *people: str) -> None:
    for to in people:
        url = current_state().links.url(Door.ONE_CLICK, parse(to), "beta-42")
        assert host.app.test_client().post(url, data={"List-Unsubscribe": "One-Click"}).status_code == 200


def staff(count: int, domain: str = "acme.example") -> list[str]:
    return [f"person{number}@{domain}" for number in range(count)]


def invite(host: Host, *people: str) -> None:
    for to in people:
        host.mail.send(host.invitation(to))


def raised(host: Host, days: float = 1) -> list[tuple[str, int]]:
    """The alarms, so many days later."""
    host.wait(days * DAY)
    return [(alarm.domain, alarm.at_least) for alarm in current_state().alarms.find_raised()]


def stored(host: Host) -> int:
    with host.db.engine.connect() as connection:
        return int(connection.scalar(sa.text("SELECT count(*) FROM optout_alarm")) or 0)


@pytest.mark.parametrize(
    ("muted", "invited", "told"),
    [
        (2, 5, []),
        (3, 4, []),
        (3, 5, [("acme.example", 3)]),
        (3, 7, []),
        (5, 5, [("acme.example", 3)]),
        (7, 12, [("acme.example", 5)]),
        (12, 12, [("acme.example", 10)]),
    ],
)
def test_it_is_raised_where_half_of_five_or_more_opted_out_and_gives_a_number_below_all_of_them(
    host: Host, muted: int, invited: int, told: list[tuple[str, int]]
) -> None:
    invite(host, *staff(invited), *staff(5, "quiet.example"))
    mute(host, *staff(muted))
    assert raised(host) == told


def test_it_is_raised_when_the_day_is_over(host: Host) -> None:
    invite(host, *staff(5))
    mute(host, *staff(5))
    assert raised(host, days=0) == []
    assert raised(host, days=1) == [("acme.example", 3)]


def test_only_those_who_were_invited_of_late_are_its_measure(host: Host) -> None:
    invite(host, *staff(5))
    host.wait((WEEK + 2) * DAY)
    mute(host, *staff(5))
    assert raised(host) == []


def test_who_presses_again_and_again_is_counted_once_a_day(host: Host) -> None:
    invite(host, *staff(5))
    for _ in range(3):
        one_click(host, *(f"person0+{number}@acme.example" for number in range(3)), "person1@acme.example")
    assert raised(host) == []
    assert stored(host) == 2


def test_two_processes_that_count_the_same_person_store_one_row(host: Host, make: MakeHost) -> None:
    other = make()
    one_click(host, "jane@acme.example")
    with other.app.app_context():
        say(other, False, to="jane@acme.example")
        one_click(other, "jane@acme.example", "ann@acme.example")
    assert stored(host) == 2


def test_who_has_opted_out_already_changes_nothing(host: Host) -> None:
    invite(host, *staff(5))
    for to in staff(3):
        say(host, True, to=to)
    one_click(host, *staff(3))
    mute(host, *staff(3))
    assert raised(host) == [] and stored(host) == 0


def test_a_mail_programs_button_counts_too_and_public_mail_services_do_not(host: Host) -> None:
    public = PUBLIC.split()[2]
    invite(host, *staff(5), *staff(5, public))
    one_click(host, *staff(3), *staff(5, public))
    assert raised(host) == [("acme.example", 3)]


def test_its_pseudonyms_stand_in_no_other_table_and_not_in_links(host: Host) -> None:
    mute(host, "jane@acme.example")
    with host.db.engine.connect() as connection:
        [row] = connection.execute(sa.text("SELECT domain, person FROM optout_alarm"))
        driver = connection.connection.driver_connection
        assert driver is not None
        lines = [line for line in driver.iterdump() if "optout_alarm" not in line]
    claim = host.claim("jane@acme.example")
    for pseudonym in (row.domain, row.person):
        assert pseudonym.hex() not in "".join(lines).lower() and pseudonym not in claim.payload


def test_who_finds_their_own_row_finds_others_of_their_domain_on_that_day_alone(host: Host) -> None:
    for number in (1, 1, 2):
        one_click(host, f"person{number}@acme.example")
        host.wait(DAY)
        say(host, False, to=f"person{number}@acme.example")
    with host.db.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT domain, person FROM optout_alarm")).all()
    assert [len(set(column)) for column in zip(*rows, strict=True)] == [3, 3]


def test_a_notice_goes_once_a_week_alarm_or_not(host: Host) -> None:
    alarms = current_state().alarms
    assert alarms.take_notice("acme.example") and not alarms.take_notice("acme.example")
    assert alarms.take_notice("quiet.example")
    host.wait((WEEK - 1) * DAY)
    assert not alarms.take_notice("acme.example") and alarms.take_notice("new.example")
    host.wait(DAY)
    assert alarms.take_notice("acme.example") and not alarms.take_notice("new.example")


def test_an_alarm_is_kept_for_a_month(host: Host) -> None:
    invite(host, *staff(5))
    mute(host, *staff(3))
    assert raised(host) == [("acme.example", 3)]
    host.wait((DAYS_KEPT - 1) * DAY)
    current_state().alarms.prune()
    assert stored(host) == 3
    host.wait(DAY)
    assert list(current_state().alarms.find_raised()) == [] and stored(host) == 3
    current_state().alarms.prune()
    assert stored(host) == 0


def test_the_day_is_that_of_the_press(host: Host) -> None:
    invite(host, *staff(5))
    mute(host, *staff(3))
    raised(host)
    [alarm] = current_state().alarms.find_raised()
    assert alarm.day == datetime.datetime.now(datetime.UTC).date()


def test_an_alarm_holds_two_pseudonyms_and_a_day_and_no_order() -> None:
    alarm = alarm_table(sa.MetaData())
    assert alarm.columns.keys() == ["domain", "day", "person"]
    assert alarm.primary_key.columns.keys() == ["domain", "day", "person"]
    assert alarm.dialect_options["sqlite"]["with_rowid"] is False
