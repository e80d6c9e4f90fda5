"""Bad settings and commands: what cannot work says so, names the setting and how to mend it, and sends nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flask_optout import ConfigurationError, StoreUnavailable
from tests.conftest import MakeHost
from tests.support.hosts import Host, Mailbox, say
from tests.support.people import run

pytestmark = pytest.mark.long


def test_registering_twice_is_refused(host: Host) -> None:
    with pytest.raises(ConfigurationError, match="already has an OptOut"):
        host.optout.init_app(host.app)


@pytest.mark.parametrize("url", ["https://jobs.example.org:8443/", "https://jobs.example.org/app/"])
def test_a_base_url_may_end_with_a_slash(make: MakeHost, url: str) -> None:
    host = make(OPTOUT_BASE_URL=url)
    with host.app.app_context():
        assert host.optout.link("jane@example.org", "beta-42").startswith(f"{url}optout/")


@pytest.mark.parametrize("setting", ["MAIL_SUPPRESS_SEND", "TESTING"])
def test_the_gate_works_where_mail_is_suppressed(make: MakeHost, setting: str) -> None:
    host = make(**{setting: True})
    with host.app.app_context(), host.mail.record_messages() as outbox:
        say(host, True, to="jane@example.org")
        host.mail.send(host.invitation())
        host.mail.send(host.invitation("bob@example.org"))
    assert len(outbox) == 1


@pytest.mark.parametrize("table", ["optout_choice", "optout_meta"])
def test_a_missing_table_says_what_to_run(make: MakeHost, smtp: Mailbox, table: str) -> None:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port)
    with host.app.app_context():
        with host.db.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP TABLE {table}")
        with pytest.raises(StoreUnavailable, match="flask optout init-db"):
            host.mail.send(host.invitation())
        assert smtp.received == []
        assert run(host, "init-db")[0] == 0
        host.mail.send(host.invitation())
    assert len(smtp.received) == 1


@pytest.mark.parametrize("options", [["-O"], ["-OO"], ["-W", "error"], ["-X", "dev"], ["-I"]], ids=" ".join)
def test_the_interpreters_options_change_nothing(tmp_path: Path, options: list[str]) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from tests.support.hosts import dispose, make_host, say
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


@pytest.mark.parametrize("command", ["status", "unmute", "undo", "list", "count", "show", "remove", "delete"])
def test_no_command_tells_or_undoes_a_choice(host: Host, command: str) -> None:
    code, output = run(host, command, "jane@example.org")
    assert code == 2 and "No such command" in output


@pytest.mark.parametrize("command", ["rotate-key", "replay", "import - --yes", "init-db"])
def test_a_command_with_another_key_exits_with_1_and_names_the_setting(
    make: MakeHost, tmp_path: Path, command: str
) -> None:
    settings = {"OPTOUT_JOURNAL": str(tmp_path / "journal")}
    host = make(**settings)
    with host.app.app_context():
        assert run(host, "replay", "--new")[0] == 0
        say(host, True)
    stranger = make(SECRET_KEY="another key of this host, 32 bytes.", **settings)
    code, output = run(stranger, *command.split(), given="email,opportunity\njane@x.org,a\n")
    assert code == 1 and "Error: No key of SECRET_KEY opens" in " ".join(output.split()) and "jane" not in output


@pytest.mark.parametrize(
    "arguments",
    [["import", "\udcff"], ["import", "--", "--opportunity"], ["rotate-key", "--", "x"], ["replay", "x"]],
    ids=ascii,
)
def test_odd_arguments_exit_with_2(host: Host, arguments: list[str]) -> None:
    assert run(host, *arguments)[0] == 2


@pytest.mark.parametrize("command", ["rotate-key", "init-db", "import"])
def test_without_an_app_it_says_what_to_set(tmp_path: Path, command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    environment.pop("FLASK_APP", None)
    result = subprocess.run(
        [sys.executable, "-m", "flask", "optout", command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0 and "FLASK_APP" in result.stderr and "Traceback" not in result.stderr
