"""Lost your link? The page mails a candidate the links of their last invitations, and tells nobody anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from flask_optout.pages.find_link import LINKS, MOST_FOR_CLIENT, MOST_MAILS
from tests.conftest import MakeHost, missing
from tests.support.forms import unnamed
from tests.support.hosts import Host, Mailbox, free_port, http_server, say, settle

PAGE = "/optout/"


@pytest.fixture
def host(make: MakeHost, smtp: Mailbox) -> Iterator[Host]:
    host = make(MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_FIND_LINK=True)
    with host.app.app_context():
        yield host


def find(client: FlaskClient, typed: str, of: str = "192.0.2.1") -> bytes:
    answer = client.post(PAGE, data={"address": typed}, environ_base={"REMOTE_ADDR": of})
    assert answer.status_code == 200
    settle()
    return unnamed(answer.data)


def invite(host: Host, smtp: Mailbox, *opportunities: str, to: str = "jane@example.org") -> None:
    for opportunity in opportunities:
        host.mail.send(host.invitation(to, opportunity))
    smtp.received.clear()


def test_the_links_of_all_invitations_come_in_one_mail(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    invite(host, smtp, "beta-42", "study-7", "beta-42")
    invite(host, smtp, "other", to="bob@example.org")
    find(client, " JANE@example.org")
    [mail] = smtp.received
    assert mail.rcpt_to == ["jane@example.org"] and mail.message["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in mail.message
    for part in ("plain", "html"):
        text = mail.part(part)
        links = re.findall(r"https://[^\s<\"]+", text)
        assert set(links) == {host.optout.link("jane@example.org", each) for each in ("beta-42", "study-7")}
        assert "Pixel Beta" in text and "Sleep Study" in text


def test_only_the_last_ten_opportunities_count(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    invite(host, smtp, *(f"beta-{number}" for number in range(LINKS + 2)))
    # Within a minute the Email Log keeps no order.
    with host.db.engine.begin() as connection:
        older = "UPDATE optout_email_log SET id = id / 2 WHERE opportunity IN ('beta-1', 'beta-7')"
        connection.exec_driver_sql(older)
    find(client, "jane@example.org")
    text = smtp.received[0].part("plain")
    assert len(re.findall("https://", text)) == LINKS
    for opportunity in ("beta-1", "beta-7"):
        assert host.optout.link("jane@example.org", opportunity) not in text


TYPED = ["jane@example.org", "muted@example.org", "nobody@example.org", "", "no address", "a@b@c", "x" * 10_000]


def test_the_answer_is_the_same_for_everybody(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    invite(host, smtp, "beta-42")
    invite(host, smtp, "beta-42", to="muted@example.org")
    say(host, True, to="muted@example.org")
    assert len({find(client, typed) for typed in TYPED}) == 1
    texts = {re.sub("https://.*", "", mail.part("plain")) for mail in smtp.received}
    assert len(smtp.received) == 2 and len(texts) == 1


def test_nothing_is_looked_up_before_the_answer(host: Host, client: FlaskClient) -> None:
    host.db.drop_all()
    assert client.get(PAGE).status_code == 200
    find(client, "jane@example.org")


def test_it_is_bounded_for_one_address_and_for_one_client(host: Host, client: FlaskClient, smtp: Mailbox) -> None:
    invite(host, smtp, "beta-42")
    for number in range(MOST_MAILS + 2):
        find(client, "jane@example.org", of=f"192.0.2.{number}")
    assert len(smtp.received) == MOST_MAILS
    people = [f"person{number}@example.org" for number in range(MOST_FOR_CLIENT + 2)]
    for person in people:
        invite(host, smtp, "beta-42", to=person)
    for person in people:
        find(client, person, of="198.51.100.1")
    assert len(smtp.received) == MOST_FOR_CLIENT


@pytest.mark.parametrize("path", ["/optout", "/optout/"])
def test_without_the_setting_there_is_no_such_page(make: MakeHost, path: str) -> None:
    client = make().app.test_client()
    gone = client.get("/optout/no-such-link")
    for answer in (client.get(path), client.post(path, data={"address": "jane@example.org"})):
        assert (answer.status_code, answer.data) == (404, gone.data)


#: What somebody types: into the field, then on to the button, which they press; and then they leave.
TYPING = {
    "lynx": [*"jane@example.org", "Down Arrow", "^J", "q", "y"],
    "w3m": ["\t", "\r", "jane@example.org\r", "\t", "\r", "q", "y"],
}


@pytest.mark.parametrize("browser", TYPING)
def test_it_works_in_a_text_browser(make: MakeHost, smtp: Mailbox, tmp_path: Path, browser: str) -> None:
    if shutil.which(browser) is None:
        missing(browser, f"apt-get install {browser}")
    port = free_port()
    host = make(
        MAIL_SERVER=smtp.host,
        MAIL_PORT=smtp.port,
        OPTOUT_FIND_LINK=True,
        OPTOUT_BASE_URL=f"http://127.0.0.1:{port}",
    )
    with http_server(host.app, port) as url, host.app.app_context():
        invite(host, smtp, "beta-42")
        shown = subprocess.run(
            [browser, "-dump", f"{url}/optout/"], capture_output=True, text=True, check=True
        ).stdout
        assert "Your email address" in shown and "Mail me my link" in shown
        (type_into_lynx if browser == "lynx" else type_into_w3m)(f"{url}/optout/", tmp_path)
        settle()
        [mail] = smtp.received
        assert mail.rcpt_to == ["jane@example.org"]
        assert host.optout.link("jane@example.org", "beta-42") in mail.part("plain")


def type_into_lynx(url: str, folder: Path) -> None:
    (folder / "keys").write_text("".join(f"key {key}\n" for key in TYPING["lynx"]))
    command = ["lynx", f"-cmd_script={folder / 'keys'}", url]
    said = subprocess.run(command, env=terminal(folder), stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert b"Check your email." in said.stdout


def type_into_w3m(url: str, folder: Path) -> None:
    """By way of script, as w3m reads keys from a terminal only."""
    command = ["script", "-qec", f"w3m {url}", "/dev/null"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=terminal(folder), bufsize=0) as process:
        assert process.stdin is not None and process.stdout is not None
        said = b""
        while b"Viewing" not in said:  # before that, the terminal would change the keys
            assert (read := process.stdout.read(1)), said
            said += read
        process.stdin.write("".join(TYPING["w3m"]).encode())
        said = process.stdout.read()
    assert b"Check your email." in said


def terminal(folder: Path) -> dict[str, str]:
    return {**os.environ, "TERM": "vt100", "HOME": str(folder)}
