"""A mail program's unsubscribe button, through a real Postfix: the next invitation is blocked, and can be undone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import missing
from tests.support.hosts import Host, Mailbox, dispose, make_host, settle, until
from tests.support.postfix import USER, NoPostfix, Postfix, interpreter, postfix_server

pytestmark = pytest.mark.long
PAGE = (Path(__file__).parents[2] / "docs" / "mailto.md").read_text()
MAIN, MASTER = re.findall(r"^```ini\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MAILTO = "optout+{token}@in.example.org"
APP = """
from pathlib import Path
from tests.support.hosts import make_host
app = make_host(Path(__file__).parent, OPTOUT_MAILTO={mailto!r}).app
"""
#: As Apple Mail writes it: no subject, and a sentence of its own.
MAIL = (
    "From: {sender}\r\nTo: {recipient}\r\nSubject: \r\nMessage-Id: <1@example.org>\r\n"
    "X-Mailer: Apple Mail (2.3826)\r\n\r\n"
    'Apple Mail sent this email to unsubscribe from the message "Join us".\r\n'
)


@pytest.fixture(scope="module")
def postfix() -> Iterator[Postfix]:
    """A Postfix with the manual's lines, where the app stands in its folder and runs as another user."""
    try:
        flask = "argv=/srv/app/.venv/bin/flask --app /srv/app/app.py"
        assert flask in MASTER and "user=app" in MASTER
        master = MASTER.replace(flask, f"argv={interpreter()} -m flask --app {{folder}}/app/app.py")
        with postfix_server(MAIN, master.replace("user=app", f"user={USER}")) as postfix:
            yield postfix
    except NoPostfix as error:
        missing("Postfix", str(error))


@pytest.fixture
def host(postfix: Postfix, smtp: Mailbox) -> Iterator[Host]:
    """The app of which Postfix runs a second process."""
    folder = postfix.folder / "app"
    (folder / "app.py").write_text(APP.format(mailto=MAILTO))
    (folder / "host.db").unlink(missing_ok=True)
    host = make_host(folder, MAIL_SERVER=smtp.host, MAIL_PORT=smtp.port, OPTOUT_MAILTO=MAILTO, OPTOUT_FIND_LINK=True)
    (folder / "host.db").chmod(0o666)
    with host.app.app_context():
        yield host
    dispose(host)


def unsubscribe(smtp: Mailbox) -> str:
    """What the button of the newest mail sends to."""
    found = re.search(r"<mailto:(\S+)>", str(smtp.received[-1].message["List-Unsubscribe"]))
    assert found is not None
    return found[1]


def press(postfix: Postfix, recipient: str, sender: str = "jane@example.org") -> None:
    postfix.take(sender, recipient, MAIL.format(sender="jane@example.org", recipient=recipient).encode())


def test_the_button_of_a_mail_program_blocks_the_next_invitation(host: Host, smtp: Mailbox, postfix: Postfix) -> None:
    host.mail.send(host.invitation())
    recipient = unsubscribe(smtp)
    press(postfix, recipient)
    postfix.await_log(f"to=<{recipient}>, relay=optout")
    postfix.await_log("status=sent (delivered via optout service)")
    assert not host.optout.may_invite("jane@example.org", "beta-42")
    host.mail.send(host.invitation())
    assert len(smtp.received) == 1
    client = host.app.test_client()
    client.post("/optout/", data={"address": "jane@example.org"})
    settle()
    [mail] = smtp.to("jane@example.org")[1:]
    found = re.search(r"https://\S+", mail.part("plain"))
    assert found is not None
    path = urlsplit(found[0]).path
    assert "with the button of your mail program" in client.get(path).text
    assert host.press(path, "undo")[0] == 200
    assert host.optout.may_invite("jane@example.org", "beta-42")
    host.mail.send(host.invitation())
    assert len(smtp.received) == 3


def test_a_bounce_mutes_nobody_and_a_wrong_address_is_refused(host: Host, smtp: Mailbox, postfix: Postfix) -> None:
    host.mail.send(host.invitation("bob@example.org"))
    recipient = unsubscribe(smtp)
    press(postfix, recipient, sender="")
    postfix.await_log(f"to=<{recipient}>, relay=optout")
    wrong = recipient.replace("optout+", "stop+")
    press(postfix, wrong)
    postfix.await_log(f"to=<{wrong}>, relay=optout")
    postfix.await_log("status=bounced (user unknown")
    assert host.optout.may_invite("bob@example.org", "beta-42")


def test_a_mail_waits_while_the_store_is_down(host: Host, smtp: Mailbox, postfix: Postfix) -> None:
    host.mail.send(host.invitation("kim@example.org"))
    recipient = unsubscribe(smtp)
    rename(host, "muted", "away")
    press(postfix, recipient)
    postfix.await_log(f"to=<{recipient}>, relay=optout")
    postfix.await_log("status=deferred")
    rename(host, "away", "muted")
    until(lambda: not host.optout.may_invite("kim@example.org", "beta-42"), "the mute")


def rename(host: Host, old: str, new: str) -> None:
    with host.db.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE optout_choice RENAME COLUMN {old} TO {new}")
