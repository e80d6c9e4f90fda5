"""The data key of a store: made once, opened by the app's keys, and missed as soon as it is gone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from flask_optout import ConfigurationError, OptOutError
from flask_optout.addresses import parse
from flask_optout.choices.key_slots import KEY_SCOPE, SLOT, AppKey
from flask_optout.links.tokens import DataKey
from flask_optout.wiring import current_state
from tests.support.databases import Database
from tests.support.deploys import MUTED, deploy, rotate
from tests.support.hosts import Host, Mailbox, dispose, make_host, say
from tests.support.people import run as command

pytestmark = pytest.mark.long

A, B, C = (
    "the first key of this host, 32 bytes",
    "the second key of this host, 32 bytes",
    "a third key, 32 bytes or more...",
)
ROUNDS = 20
OURS = ("optout_choice", "optout_meta", "optout_email_log")
#: The settings of three deploys after another, by which B takes the place of A.
DEPLOYS: dict[str, list[dict[str, Any]]] = {
    "OPTOUT_KEYS": [{"OPTOUT_KEYS": keys} for keys in ([A], [B, A], [B])],
    "SECRET_KEY_FALLBACKS": [
        {"SECRET_KEY": A},
        {"SECRET_KEY": B, "SECRET_KEY_FALLBACKS": [A]},
        {"SECRET_KEY": B},
    ],
    "OPTOUT_KEYS before SECRET_KEY": [
        {"SECRET_KEY": A},
        {"SECRET_KEY": A, "OPTOUT_KEYS": [B]},
        {"SECRET_KEY": C, "OPTOUT_KEYS": [B]},
    ],
}
Start = Callable[..., Host]


@pytest.fixture
def start(database: Database, tmp_path: Path, smtp: Mailbox) -> Iterator[Start]:
    """Start another process of the same app."""
    hosts: list[Host] = []

    def start(**config: Any) -> Host:
        mail: dict[str, Any] = {"MAIL_SERVER": smtp.host, "MAIL_PORT": smtp.port}
        hosts.append(make_host(tmp_path, SQLALCHEMY_DATABASE_URI=database.uri, **mail, **config))
        return hosts[-1]

    yield start
    for host in hosts:
        dispose(host)


def run(host: Host, *statements: str) -> None:
    with host.app.app_context(), host.db.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def slots(host: Host) -> dict[str, str]:
    query = sa.text("SELECT name, value FROM optout_meta WHERE name LIKE 'slot.%'")
    with host.app.app_context(), host.db.engine.connect() as connection:
        return {name.removeprefix(SLOT): value for name, value in connection.execute(query)}


def first_start(uri: str, folder: Path, barrier: Any, found: Any) -> None:
    for _ in range(ROUNDS):
        barrier.wait(60)
        host = make_host(folder, SQLALCHEMY_DATABASE_URI=uri)
        with host.app.app_context():
            barrier.wait(60)
            try:
                host.path()
                assert host.optout.may_invite("jane@example.org", "beta-42")
                found.put(current_state().key.id.hex())
            except OptOutError as error:
                found.put(str(error))
        dispose(host)


def test_two_processes_that_start_at_once_on_an_empty_store_agree(
    start: Start, database: Database, tmp_path: Path
) -> None:
    host = start()
    context = multiprocessing.get_context("spawn")
    barrier, found = context.Barrier(3), context.Queue()
    processes = [context.Process(target=first_start, args=(database.uri, tmp_path, barrier, found)) for _ in range(2)]
    for process in processes:
        process.start()
    keys = set()
    for _ in range(ROUNDS):
        run(host, *(f"DELETE FROM {table}" for table in OURS))
        barrier.wait(60)
        barrier.wait(60)
        one, other = found.get(timeout=60), found.get(timeout=60)
        assert one == other and len(one) == 32
        assert len(slots(host)) == 1
        keys.add(one)
    assert len(keys) == ROUNDS
    for process in processes:
        process.join(60)
        assert process.exitcode == 0


@pytest.mark.parametrize("settings", DEPLOYS.values(), ids=DEPLOYS)
def test_a_deploy_of_a_new_key_loses_no_send_no_link_and_no_mute(
    start: Start, smtp: Mailbox, settings: list[dict[str, Any]]
) -> None:
    load = deploy(start, smtp, settings, turns=4)
    assert load.turns >= 20 and +load.lost == {}
    [last] = load.hosts
    assert set(slots(last)) == {AppKey(B).id}
    with last.app.app_context():
        assert last.app.test_client().get(last.path(MUTED)).status_code == 200
    with start(**settings[0]).app.app_context(), pytest.raises(ConfigurationError, match="No key of .* opens"):
        last.optout.may_invite(MUTED, "beta-42")


def test_whoever_has_only_the_old_key_opens_nothing_after_a_rotation(start: Start) -> None:
    host = start(OPTOUT_KEYS=[A])
    with host.app.app_context():
        say(host, True)
        stolen = slots(host)
    newer = start(OPTOUT_KEYS=[B, A])
    rotate(newer)
    for wrapped in slots(newer).values():
        with pytest.raises(ConfigurationError):
            AppKey(A).unwrap(wrapped)
    # What the manual says of a dump from before: it needs the keys of its day, and they open it.
    with newer.app.app_context():
        assert AppKey(A).unwrap(stolen[AppKey(A).id]).id == current_state().key.id


def test_a_second_rotation_has_nothing_to_remove_and_says_how_to_begin_one(start: Start) -> None:
    host = start(OPTOUT_KEYS=[B, A])
    with host.app.app_context():
        say(host, True)
    assert "Remove the older ones" in rotate(host)
    assert "put a new key in front of it in OPTOUT_KEYS" in " ".join(rotate(start(OPTOUT_KEYS=[B])).split())


def test_a_backup_from_before_the_rotation_needs_the_key_of_its_day(start: Start) -> None:
    host = start(OPTOUT_KEYS=[A])
    with host.app.app_context():
        say(host, True)
        before = slots(host)
    rotate(start(OPTOUT_KEYS=[B, A]))
    run(host, "DELETE FROM optout_meta WHERE name LIKE 'slot.%%'")
    run(
        host,
        *(f"INSERT INTO optout_meta (name, value) VALUES ('{SLOT}{id}', '{value}')" for id, value in before.items()),
    )
    today = start(OPTOUT_KEYS=[B])
    with today.app.app_context(), pytest.raises(ConfigurationError) as refused:
        today.optout.may_invite("jane@x.org", "beta-42")
    said = str(refused.value)
    assert AppKey(A).id in said and "restored backup was made with" in said and "OPTOUT_KEYS" in said
    mended = start(OPTOUT_KEYS=[B, A])
    with mended.app.app_context():
        assert not mended.optout.may_invite("jane@x.org", "beta-42")


def test_two_apps_on_one_database_share_its_choices_by_a_common_key_only(start: Start) -> None:
    one, other, stranger = start(OPTOUT_KEYS=[A]), start(OPTOUT_KEYS=[A]), start(OPTOUT_KEYS=[C])
    with one.app.app_context():
        say(one, True)
        path = one.path()
    with other.app.app_context():
        assert not other.optout.may_invite("jane@x.org", "beta-42")
    assert other.app.test_client().get(path).status_code == 200
    with stranger.app.app_context(), pytest.raises(ConfigurationError, match="OPTOUT_KEYS"):
        stranger.optout.may_invite("jane@x.org", "beta-42")
    assert stranger.app.test_client().get(path).status_code == 503


def dropped(host: Host) -> None:
    with host.app.app_context():
        host.db.drop_all()
        host.db.create_all()


def choices_remade(host: Host) -> None:
    run(host, "DROP TABLE optout_choice")
    with host.app.app_context():
        host.db.create_all()


def foreign(host: Host) -> None:
    """The slots of another store that the same key opens, as where staging and production have one."""
    run(host, "DELETE FROM optout_meta")
    value = AppKey(A).wrap(DataKey(b"x" * 32))
    run(host, f"INSERT INTO optout_meta (name, value) VALUES ('{SLOT}{AppKey(A).id}', '{value}')")


#: What happens to the tables; whether a process that runs already notices, and what one that starts now says.
LOSSES: dict[str, tuple[Callable[[Host], None], bool, str]] = {
    "dropped and made anew, with the Email Log": (dropped, True, ""),
    "choices dropped and made anew": (choices_remade, True, "optout_choice are gone"),
    "choices emptied": (lambda host: run(host, "DELETE FROM optout_choice"), True, "optout_choice are gone"),
    "meta emptied": (lambda host: run(host, "DELETE FROM optout_meta"), False, "data key is missing in optout_meta"),
    "both emptied": (
        lambda host: run(host, "DELETE FROM optout_meta", "DELETE FROM optout_choice"),
        True,
        "data key is missing in optout_meta",
    ),
    "a foreign meta": (foreign, False, "belong to another data key"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_or_foreign_key_closes_the_gate(start: Start, smtp: Mailbox, loss: str) -> None:
    lose, noticed, said = LOSSES[loss]
    host = start(OPTOUT_KEYS=[A])
    with host.app.app_context():
        say(host, True)
        host.mail.send(host.invitation("bob@example.org"))
        path = host.path("bob@example.org")
    lose(host)
    if noticed:
        assert_closed(host, path, "optout_choice are gone, or belong to another data key.*Restore")
    else:  # it knows its key, and the choices are there
        with host.app.app_context():
            assert not host.optout.may_invite("jane@x.org", "beta-42")
    if said:
        assert_closed(start(OPTOUT_KEYS=[A]), path, f"{said}.*Restore")
    assert len(smtp.received) == 1


def assert_closed(host: Host, path: str, said: str) -> None:
    questions: list[Callable[[], Any]] = [
        lambda: host.optout.may_invite("ann@example.org", "beta-42"),
        lambda: list(host.optout.invitable(["ann@example.org"], "beta-42")),
        lambda: host.mail.send(host.invitation("ann@example.org")),
        lambda: current_state().choices.add_mutes([(parse("ann@example.org"), "beta-42")], "import"),
    ]
    with host.app.app_context():
        for question in questions:
            with pytest.raises(ConfigurationError, match=said) as refused:
                question()
            assert "@" not in str(refused.value)
    client = host.app.test_client()
    assert client.get(path).status_code == 503
    assert client.post(path, data={"choice": "mute"}).status_code == 503


def test_a_wrong_key_names_the_setting_and_the_mend(start: Start, smtp: Mailbox) -> None:
    with (host := start(SECRET_KEY=A)).app.app_context():
        path = host.path()
    assert_closed(start(SECRET_KEY=B), path, "No key of SECRET_KEY opens.*back into SECRET_KEY_FALLBACKS;")
    assert_closed(
        start(OPTOUT_KEYS=[C], SECRET_KEY=B),
        path,
        f"No key of OPTOUT_KEYS.*{AppKey(A).id}.*back into OPTOUT_KEYS, behind",
    )


def everything(host: Host) -> dict[str, list[Any]]:
    with host.app.app_context(), host.db.engine.connect() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table))))
            for table in host.db.metadata.sorted_tables
        }


@pytest.mark.parametrize("state", ["an empty store", "no slot for the newest key", "no slot, and a journal"])
def test_reading_writes_nothing(start: Start, state: str, tmp_path: Path) -> None:
    paths = ["/optout/no-such-token"]
    settings = {"OPTOUT_JOURNAL": str(tmp_path / "journal")} if "journal" in state else {}
    if state != "an empty store":
        with (old := start(OPTOUT_KEYS=[A], **settings)).app.app_context():
            if settings:
                assert command(old, "replay", "--new")[0] == 0
            say(old, True, "muted@example.org")
            paths += [old.path(), old.path("muted@example.org")]
    host = start(OPTOUT_KEYS=[B, A], **settings)
    before = everything(host)
    client = host.app.test_client()
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS"):
            assert client.open(path, method=method).status_code in (200, 404)
    assert everything(host) == before
    with host.app.app_context():
        assert host.optout.may_invite("jane@example.org", "study-7")
        assert list(host.optout.invitable(["jane@example.org"], "beta-42")) == ["jane@example.org"]
    if state == "an empty store":
        assert everything(host) == before
    else:
        assert AppKey(B).id in slots(host)  # a question of the app's own adds it


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # where a host's open transaction is in the way
def test_a_slot_that_cannot_be_written_stops_nothing(start: Start, smtp: Mailbox) -> None:
    with (old := start(OPTOUT_KEYS=[A])).app.app_context():
        say(old, True, "muted@example.org")
    host = start(OPTOUT_KEYS=[B, A])
    with host.app.app_context():
        host.db.session.execute(sa.text("CREATE TABLE note (text VARCHAR(9))"))
        host.db.session.commit()
        host.db.session.execute(sa.text("INSERT INTO note VALUES ('pending')"))
        for person in ("muted@example.org", "ann@example.org"):
            host.mail.send(host.invitation(person))
        assert AppKey(B).id not in slots(host)
        host.db.session.commit()
        host.mail.send(host.invitation("bob@example.org"))
        assert AppKey(B).id in slots(host)
    assert [mail.rcpt_to for mail in smtp.received] == [["ann@example.org"], ["bob@example.org"]]


def test_the_key_is_stored_whole_or_not_at_all(start: Start) -> None:
    """Also where the host's engine commits each statement by itself."""
    host = start(SQLALCHEMY_ENGINE_OPTIONS={"isolation_level": "AUTOCOMMIT"})
    with host.app.app_context():

        @sa.event.listens_for(host.db.engine, "before_cursor_execute")
        def lose(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
            if failing and statement.startswith("INSERT INTO optout_choice"):
                raise RuntimeError

        failing = True
        with pytest.raises(RuntimeError):
            host.path()
        assert slots(host) == {}
        failing = False
        say(host, True)
        assert not host.optout.may_invite("jane@x.org", "beta-42")
        with host.db.engine.connect() as connection:  # the host's own statements are committed at once as before
            connection.exec_driver_sql("DELETE FROM optout_email_log")
            connection.exec_driver_sql("INSERT INTO optout_meta (name, value) VALUES ('of the host', 'x')")
        with host.db.engine.connect() as connection:
            query = sa.text("SELECT count(*) FROM optout_meta WHERE name = 'of the host'")
            assert connection.scalar(query) == 1


def test_the_row_of_the_key_says_nothing_about_anybody(start: Start) -> None:
    with (host := start()).app.app_context():
        key = current_state().key
        with host.db.engine.connect() as connection:
            [row] = connection.execute(sa.select(host.db.metadata.tables["optout_choice"]))
        assert (bytes(row.scope), bytes(row.digest), bool(row.muted)) == (KEY_SCOPE, key.id, False)
