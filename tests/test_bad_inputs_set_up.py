"""Bad settings and commands: what cannot work says so, names the setting and how to mend it, and sends nothing."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_optout import ConfigurationError, OptOut, StoreUnavailable
from flask_optout.addresses import parse
from flask_optout.cli.commands import optout_cli
from flask_optout.links.keys import Key
from flask_optout.wiring import current_state
from tests.conftest import MakeHost
from tests.support.hosts import KEY, OLD, Host, Mailbox, say

GOOD = "b7f3c0e19a5d4482b7f3c0e19a5d4482"
KEYS: dict[str, dict[str, Any]] = {
    "E1 empty": {"OPTOUT_KEYS": [""]},
    "E1 an empty string": {"OPTOUT_KEYS": ""},
    "E1 dev": {"OPTOUT_KEYS": ["dev"]},
    "E1 changeme": {"OPTOUT_KEYS": ["changeme"]},
    "E1 31 bytes": {"OPTOUT_KEYS": [GOOD[:31]]},
    "E1 a long placeholder": {"OPTOUT_KEYS": ["change-me-please-change-me-please-now"]},
    "E1 a weak one behind": {"OPTOUT_KEYS": [GOOD, "changeme"]},
    "E2 none": {"OPTOUT_KEYS": []},
    "E2 twice": {"OPTOUT_KEYS": [GOOD, GOOD]},
    "E2 twice, as text and bytes": {"OPTOUT_KEYS": [GOOD, GOOD.encode()]},
    "E2 None": {"OPTOUT_KEYS": [GOOD, None]},
    "E2 a number": {"OPTOUT_KEYS": [5]},
    "E1 SECRET_KEY itself": {"OPTOUT_KEYS": [KEY]},
}
SECRET_KEYS: dict[str, dict[str, Any]] = {
    "E1 unset": {"SECRET_KEY": None},
    "E1 empty": {"SECRET_KEY": ""},
    "E1 dev": {"SECRET_KEY": "dev"},
    "E1 change me": {"SECRET_KEY": "change me"},
    "E1 short": {"SECRET_KEY": "a3f9"},
    "E1 a weak fallback": {"SECRET_KEY": GOOD, "SECRET_KEY_FALLBACKS": ["dev"]},
}


@pytest.mark.parametrize("row", KEYS)
def test_bad_keys_are_refused_at_start_up(make: MakeHost, row: str) -> None:
    with pytest.raises(ConfigurationError, match="OPTOUT_KEYS") as refused:
        make(**KEYS[row])
    assert GOOD not in str(refused.value)


@pytest.mark.parametrize("row", SECRET_KEYS)
def test_a_bad_secret_key_stops_invitations_and_nothing_else(make: MakeHost, smtp: Mailbox, row: str) -> None:
    host = make(**SECRET_KEYS[row], MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        with pytest.raises(ConfigurationError, match="SECRET_KEY"):
            host.mail.send(host.invitation())
        host.mail.send_message("Reset your password", recipients=["jane@example.org"], body="Here.")
    assert [mail.message["Subject"] for mail in smtp.received] == ["Reset your password"]


@pytest.mark.parametrize(
    "mode", [{"DEBUG": True}, {"TESTING": True}, {"OPTOUT_BASE_URL": "http://127.0.0.1:5000"}], ids=str
)
def test_in_development_a_weak_key_is_one_warning(
    make: MakeHost, mode: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    host = make(SECRET_KEY="dev", **mode)
    with host.app.app_context(), caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert host.optout.may_invite("jane@example.org", "beta-42")
    assert [Key(b"dev").id.hex() in record.message for record in caplog.records] == [True]


def test_e2_the_first_key_signs(make: MakeHost) -> None:
    one, both = make(OPTOUT_KEYS=[GOOD]), make(OPTOUT_KEYS=[KEY + "!", GOOD])
    with one.app.app_context():
        old = one.path()
    with both.app.app_context():
        assert both.path() != old
        assert current_state().tokens.ring.current.id == Key((KEY + "!").encode()).id


@pytest.mark.parametrize(
    "ring", [[GOOD, KEY + "!"], [KEY + "!"], [GOOD + "2", GOOD]], ids=["reordered", "lacking", "inserted"]
)
def test_e2_a_ring_in_another_order_stops_invitations(make: MakeHost, ring: list[str], smtp: Mailbox) -> None:
    first = make(OPTOUT_KEYS=[KEY + "!", GOOD])
    with first.app.app_context():
        say(first, True)
    second = make(OPTOUT_KEYS=ring, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with second.app.app_context(), pytest.raises(ConfigurationError, match=r"OPTOUT_KEYS .* key [0-9a-f]{8}"):
        second.mail.send(second.invitation("never.seen@example.org"))
    assert smtp.received == []


def test_e3_the_keys_of_links_and_of_people_differ(host: Host) -> None:
    ring = current_state().ring
    keys = {ring.current.people, *ring.link_keys("link.landing").values(), *ring.link_keys("link.one-click").values()}
    assert len(keys) == 3


def test_e4_fallbacks_of_the_secret_key_are_not_ours(make: MakeHost) -> None:
    host = make(OPTOUT_KEYS=[GOOD], SECRET_KEY_FALLBACKS=["dev"])
    with host.app.app_context():
        assert [key.secret for key in current_state().ring.keys] == [GOOD.encode()]


@pytest.mark.parametrize("timeout", [0, -1, "2", None, 1_000, float("nan"), []], ids=repr)
def test_a_timeout_is_a_number_of_seconds(make: MakeHost, tmp_path: Path, timeout: Any) -> None:
    app = Flask("host", instance_path=str(tmp_path))
    app.config.update(SECRET_KEY=KEY, SQLALCHEMY_DATABASE_URI="sqlite://", OPTOUT_TIMEOUT=timeout)
    with pytest.raises(ConfigurationError, match="OPTOUT_TIMEOUT"):
        OptOut(SQLAlchemy(app), app)


def test_e6_registering_twice_is_refused(host: Host) -> None:
    with pytest.raises(ConfigurationError, match="already has an OptOut"):
        host.optout.init_app(host.app)


@pytest.mark.parametrize("setting", ["MAIL_SUPPRESS_SEND", "TESTING"])
def test_e8_the_gate_works_where_mail_is_suppressed(make: MakeHost, setting: str) -> None:
    host = make(**{setting: True})
    with host.app.app_context(), host.mail.record_messages() as outbox:
        say(host, True, to="jane@example.org")
        host.mail.send(host.invitation())
        host.mail.send(host.invitation("bob@example.org"))
    assert len(outbox) == 1


@pytest.mark.parametrize("table", ["optout_choice", "optout_meta"])
def test_e10_a_missing_table_says_what_to_run(host: Host, smtp: Mailbox, table: str) -> None:
    with host.db.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {table}")
    with pytest.raises(StoreUnavailable, match="flask optout init-db"):
        host.mail.send(host.invitation())
    assert smtp.received == []
    assert host.app.test_cli_runner().invoke(args=["optout", "init-db"]).exit_code == 0
    host.mail.send(host.invitation())
    assert len(smtp.received) == 1


@pytest.mark.long
@pytest.mark.parametrize("options", [["-O"], ["-OO"], ["-W", "error"], ["-X", "dev"], ["-I"]], ids=" ".join)
def test_e12_the_interpreters_options_change_nothing(tmp_path: Path, options: list[str]) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from tests.support.hosts import make_host, dispose
from tests.support.hosts import say
from flask_optout import AddressError
host = make_host(Path({str(tmp_path)!r}), MAIL_SUPPRESS_SEND=True)
with host.app.app_context(), host.mail.record_messages() as outbox:
    say(host, True, to="jane@example.org")
    for who in ("jane@example.org", "bob@example.org", "a@x.org, b@y.org"):
        try:
            host.mail.send(host.invitation(who))
        except AddressError:
            print("refused")
    print(len(outbox))
dispose(host)
"""
    result = subprocess.run([sys.executable, *options, "-c", program], capture_output=True, text=True, timeout=60)
    assert (result.stdout, result.stderr) == ("refused\n1\n", "")


@pytest.mark.parametrize(
    "command", ["status", "unmute", "undo", "list", "count", "export", "show", "remove", "delete"]
)
def test_g1_g2_no_command_tells_or_undoes_a_choice(host: Host, command: str) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", command, "jane@example.org"])
    assert result.exit_code == 2 and "No such command" in result.output
    assert command not in optout_cli.commands


BROKEN: dict[str, dict[str, Any]] = {
    "G3 no database": {"SQLALCHEMY_DATABASE_URI": "postgresql+psycopg://postgres@127.0.0.1:1/none"},
    "G3 no key": {"SECRET_KEY": None},
    "G3 a weak key": {"SECRET_KEY": "dev"},
}


@pytest.mark.parametrize("command", [["rotate-key"], ["replay"], ["import", "-"], ["init-db"]], ids=" ".join)
@pytest.mark.parametrize("row", BROKEN)
def test_g3_a_command_that_cannot_work_exits_with_1_and_says_how_to_mend_it(
    tmp_path: Path, row: str, command: list[str]
) -> None:
    app = Flask("host", instance_path=str(tmp_path))
    database = f"sqlite:///{tmp_path / 'host.db'}"
    app.config.update({"SECRET_KEY": KEY, "SQLALCHEMY_DATABASE_URI": database, **BROKEN[row]})
    db = SQLAlchemy(app)
    OptOut(db, app)
    result = app.test_cli_runner().invoke(args=["optout", *command], input=b"email,opportunity\njane@x.org,a\n")
    if command == ["init-db"] and "key" in row:
        assert result.exit_code == 0
    else:
        assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
        assert "Error: " in result.output and "Traceback" not in result.output and "jane" not in result.output
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize(
    "arguments",
    [["import", "\udcff"], ["import", "--", "--opportunity"], ["rotate-key", "--", "x"], ["replay", "x"]],
    ids=ascii,
)
def test_g7_odd_arguments_exit_with_2(host: Host, arguments: list[str]) -> None:
    result = host.app.test_cli_runner().invoke(args=["optout", *arguments])
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("command", ["rotate-key", "init-db", "import"])
def test_g8_without_an_app_it_says_what_to_set(tmp_path: Path, command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    environment.pop("FLASK_APP", None)
    result = subprocess.run(
        [sys.executable, "-m", "flask", "optout", command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0 and "FLASK_APP" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.long
def test_g8_two_rotations_at_once_are_safe(make: MakeHost, tmp_path: Path) -> None:
    old = make(OPTOUT_KEYS=[OLD])
    with old.app.app_context():
        old.app.config["SECRET_KEY"] = GOOD
        current_state().choices.add_mutes([(parse(f"person{n}@x.org"), "beta-42") for n in range(1_000)], "import")
    (tmp_path / "app.py").write_text(
        f"""
from pathlib import Path
from tests.support.hosts import make_host
app = make_host(Path({str(tmp_path)!r}), OPTOUT_KEYS=[{GOOD!r}, {OLD!r}]).app
"""
    )
    command = [sys.executable, "-m", "flask", "--app", str(tmp_path / "app.py"), "optout", "rotate-key"]
    root = Path(__file__).parents[1]
    both = [subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    new = make(OPTOUT_KEYS=[GOOD, OLD])
    with new.app.app_context():
        assert current_state().rotation.waiting() == 0
        assert not any(new.optout.invitable([f"person{n}@x.org" for n in range(1_000)], "beta-42"))
