"""A thief who has a copy of the database, but no key, knows who was invited, and learns nothing more.

The copy is that of an app at work: mutes, undos, a mail program's button, imports, a mute by phone, invitations, what
was sent again, asks, lost links, saved filters, alarms.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import request

from flask_optout.addresses import parse
from flask_optout.links.tokens import ALPHABET, Door
from flask_optout.presses.evidence import make_visitor
from flask_optout.wiring import current_state
from tests.support.databases import Database
from tests.support.email_log import LOG, operator_of, post, rows
from tests.support.hosts import Host, Mailbox, dispose, make_host, settle

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("minutes_over")]

DOMAINS = {"corp.example": 6, "shop.example": 5, "one.example": 1}
PEOPLE = [f"p{number}@{domain}" for domain, size in DOMAINS.items() for number in range(size)]
IMPORTED = [f"import{number:02}@list{number % 3}.example" for number in range(40)]
OPPORTUNITIES = ["beta-42", "study-7"]
#: What names people or what they were invited to; what says who opted out; what counts by pseudonyms of its own.
NAMES = {"optout_email_log", "optout_resend", "optout_saved_filter"}
CHOICES = {"optout_choice", "optout_import", "optout_import_repeat", "optout_recent_press"}
APART = {"optout_alarm", "optout_asked", "optout_meta"}

Row = dict[str, Any]


@pytest.fixture
def host(database: Database, tmp_path: Path, smtp: Mailbox) -> Iterator[Host]:
    host = make_host(
        tmp_path,
        operator=lambda: request.headers.get("X-Operator"),
        SQLALCHEMY_DATABASE_URI=database.uri,
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
        OPTOUT_FIND_LINK=True,
    )
    with host.app.app_context():
        yield host
    dispose(host)


def live(host: Host, folder: Path) -> None:
    """Let the app be at work, and the day of its alarms be over."""
    for about in OPPORTUNITIES:
        host.mail.send_invitations([host.invitation(to, about) for to in PEOPLE])
    host.mail.send(host.invitation(PEOPLE[0]))
    for place, person in enumerate(PEOPLE):
        for command in (["mute"], ["mute", "undo"], ["mute-all"], [])[place % 4]:
            assert host.press(host.path(person), command)[0] == 200
    body = {"List-Unsubscribe": "One-Click"}
    for person in PEOPLE[1:9:3]:
        link = current_state().links.url(Door.ONE_CLICK, parse(person), "study-7")
        assert host.app.test_client().post(link.partition(".org")[2], data=body).status_code == 200
    run = host.app.test_cli_runner().invoke
    (folder / "list.csv").write_text("email\n" + "".join(f"{to}\n" for to in [*IMPORTED, PEOPLE[3]]))
    for about in (OPPORTUNITIES[0], *OPPORTUNITIES):
        imported = ["optout", "import", str(folder / "list.csv"), "--opportunity", about, "--yes"]
        assert run(args=imported).exit_code == 0
    host.optout.mute(PEOPLE[4], "beta-42", "phone")
    client, operator = host.app.test_client(), operator_of(host)
    for email in {email.recipient: email for email in rows()}.values():
        page = f"{LOG}{email.id}"
        post(operator, f"{page}/send-again")
        [token] = set(ALPHABET.findall(operator.get(page).text))
        client.post(f"/optout/ask/{token}", data={"address": email.recipient})
    page = f"{LOG}?q={PEOPLE[0]}"
    post(operator, page, name="Mine", do="save")
    client.post("/optout/", data={"address": PEOPLE[0]})
    settle()


def dump(host: Host) -> dict[str, list[Row]]:
    """Every row of every table, in the order in which the database gives them."""
    with host.db.engine.connect() as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(sa.select(table))]
            for table in host.db.metadata.sorted_tables
        }


def values(rows: list[Row]) -> set[Any]:
    """What may join a row to another: not days, and no number that is small enough to be the same by chance."""
    found = {value for row in rows for value in row.values()}
    return {
        bytes(value) if isinstance(value, bytes | memoryview) else value
        for value in found
        if not (value is None or isinstance(value, bool | datetime.date) or (isinstance(value, int) and value < 1000))
    }


def test_the_tables_are_those_that_are_looked_at(host: Host) -> None:
    assert {table.name for table in host.db.metadata.sorted_tables} == NAMES | CHOICES | APART


def test_no_value_stands_in_two_tables_of_different_concern(host: Host, tmp_path: Path) -> None:
    live(host, tmp_path)
    tables = dump(host)
    assert all(tables[name] for name in NAMES | CHOICES | APART)
    for one, other in [*product(NAMES, CHOICES), *product(NAMES, APART), *product(CHOICES, APART)]:
        common = values(tables[one]) & values(tables[other])
        # The id of the data key, which belongs to the store and to nobody.
        assert common <= {current_state().key.id.hex()}, f"{one} and {other}"
    held = [values(tables[name]) for name in sorted(APART)]
    assert not (held[0] & held[1] or held[0] & held[2] or held[1] & held[2])


def test_no_name_of_anybody_or_anything_stands_beside_a_choice(host: Host, tmp_path: Path) -> None:
    """Neither as it is, nor hidden in any way for which no key is needed."""
    live(host, tmp_path)
    tables = dump(host)
    held = set[str]()
    for name in CHOICES | APART:
        for value in values(tables[name]):
            held.add(value.hex() if isinstance(value, bytes) else str(value).lower())
    text = "\n".join(held)
    names = {*PEOPLE, *IMPORTED, *OPPORTUNITIES, *(each.rpartition("@")[2] for each in (*PEOPLE, *IMPORTED))}
    for name in names:
        hashes = {getattr(hashlib, kind)(name.encode()).hexdigest() for kind in ("md5", "sha1", "sha256", "sha512")}
        hashes |= {hashlib.blake2b(name.encode(), digest_size=size).hexdigest() for size in (8, 16, 32, 64)}
        encoded = {base64.b64encode(name.encode()).decode().lower(), name.encode().hex(), name}
        for hidden in encoded | {each[:16] for each in hashes}:  # fewer digits could stand there by chance
            assert hidden not in text, name


def test_no_column_of_a_choice_tells_a_domain_an_order_or_a_time(host: Host, tmp_path: Path) -> None:
    live(host, tmp_path)
    tables, state = dump(host), current_state()
    choices = [row for row in tables["optout_choice"] if row["source"] != "key"]
    who = {
        state.key.digest(about, person): person.rpartition("@")[2]
        for person in (*PEOPLE, *IMPORTED)
        for about in (*OPPORTUNITIES, "*")
    }
    for column in ("scope", "muted", "source", "day", "batch"):
        groups = defaultdict(list)
        for row in choices:
            groups[row[column]].append(who[bytes(row["digest"])])
        shared = [group for group in groups.values() if len(group) > 2]
        assert shared and all(len(set(group)) > 1 for group in shared), column
    assert {type(row["day"]) for row in choices} == {datetime.date}
    now = time.time()
    for name in (CHOICES | APART) - {"optout_recent_press"}:
        for value in values(tables[name]):
            for unit in (1, 1000, 1_000_000, 1 / 60, 1 / 3600):
                assert not (isinstance(value, int) and abs(value / unit - now) < 86_400 * 366), (name, value)


def test_an_import_says_nothing_about_the_order_of_its_file(host: Host, tmp_path: Path) -> None:
    """Its rows stand by their pseudonyms, all with the one number of their import."""
    (tmp_path / "list.csv").write_text("email\n" + "".join(f"{to}\n" for to in IMPORTED))
    command = ["optout", "import", str(tmp_path / "list.csv"), "--opportunity", "beta-42", "--yes"]
    assert host.app.test_cli_runner().invoke(args=command).exit_code == 0
    found = [row for row in dump(host)["optout_choice"] if row["source"] == "import"]
    order = [bytes(row["digest"]) for row in found]
    assert len(order) == len(IMPORTED) and order == sorted(order) and {row["batch"] for row in found} == {1}
    key = current_state().key
    assert order != [key.digest("beta-42", person) for person in IMPORTED]


def test_the_rows_of_the_log_have_no_gap_and_no_order_that_tells_who_was_muted(host: Host, tmp_path: Path) -> None:
    live(host, tmp_path)
    before = {row["id"] for row in dump(host)["optout_email_log"]}
    host.mail.send_invitations([host.invitation(to) for to in PEOPLE])
    batch = [row for row in dump(host)["optout_email_log"] if row["id"] not in before]
    ids = [row["id"] for row in batch]
    assert sorted(row["recipient"] for row in batch) == sorted(PEOPLE)
    assert ids == sorted(ids) and [row["recipient"] for row in batch] != PEOPLE
    assert min(after - one for one, after in zip(ids, ids[1:], strict=False)) > 1_000
    assert {tuple(sorted(row)) for row in batch} == {tuple(sorted(batch[0]))} and {
        row["failure"] for row in batch
    } == {None}


def test_whoever_pressed_cannot_be_found_by_trying_addresses(host: Host) -> None:
    """Not even by their link, whose pseudonym stands in the same row."""
    host.press(host.path(), "mute")
    [row] = dump(host)["optout_recent_press"]
    pressed = {press[2] for press in json.loads(row["presses"])}
    with host.app.test_client() as client:
        client.get("/")
        assert pressed == {make_visitor(request, host.claim(), "", current_state().visitor_secret)}
        assert pressed != {make_visitor(request, host.claim(), "", b"")}


@pytest.mark.parametrize("use", ["a look", "a send", "a press", "a prune"])
def test_exact_times_are_gone_within_the_hour_by_any_use(host: Host, use: str) -> None:
    host.press(host.path("jane@example.org"), "mute")
    assert dump(host)["optout_recent_press"]
    host.wait(3_600)
    uses: dict[str, Callable[[], object]] = {
        "a look": lambda: host.app.test_client().get(host.path("joan@example.org")),
        "a send": lambda: host.mail.send(host.invitation("joan@example.org")),
        "a press": lambda: host.press(host.path("joan@example.org"), "mute"),
        "a prune": lambda: host.app.test_cli_runner().invoke(args=["optout", "prune"]),
    }
    uses[use]()
    jane = host.claim("jane@example.org").person[0].digest
    assert jane not in {bytes(row["digest"]) for row in dump(host)["optout_recent_press"]}
