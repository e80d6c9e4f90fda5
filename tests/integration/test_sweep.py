"""An operator with everything but the keys tries every channel: none tells whether a candidate opted out.

Two hosts are alike but for what one candidate, Jane, has said. Through each channel the operator does the same to
both, and looks at all there is to see: what came back or was raised, what was logged and signalled, which statements
ran, how many mails the server got, which files there are, and what the tables hold, but for the choices themselves.
"""

from __future__ import annotations

import logging
import re
import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flask
import flask_mail
import pytest
import sqlalchemy as sa
from flask import request
from flask.testing import FlaskClient

from flask_optout import OptOutError
from flask_optout.cli.commands import optout_cli
from flask_optout.links.tokens import ALPHABET
from tests.support.adapters import WAYS
from tests.support.email_log import LOG, operator_of, post, rows, statements
from tests.support.hosts import Host, Mailbox, dispose, make_host, settle, smtp_server
from tests.support.library import Wanted

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("minutes_over")]

JANE = "jane@corp.example"
PEOPLE = [JANE, *(f"{name}@corp.example" for name in ("joan", "june", "jill", "jean"))]
#: What is in them, test_dump.py looks at.
CHOICES = {"optout_choice", "optout_alarm", "optout_recent_press"}


@dataclass
class World:
    """One of two hosts that are alike but for what Jane has said."""

    host: Host
    smtp: Mailbox
    folder: Path

    @property
    def operator(self) -> FlaskClient:
        return operator_of(self.host)

    def path(self, recipient: str = JANE) -> str:
        """The page of an invitation in the Email Log."""
        [id, *_] = [email.id for email in rows() if email.recipient == recipient]
        return f"{LOG}{id}"

    def ask_path(self) -> str:
        """The path of the URL that an operator copies for Jane."""
        [token] = set(ALPHABET.findall(self.operator.get(self.path()).text))
        return f"/optout/ask/{token}"

    def run(self, *arguments: str, **options: Any) -> tuple[int, str]:
        result = self.host.app.test_cli_runner().invoke(args=["optout", *arguments], **options)
        return result.exit_code, result.output

    def write(self, name: str, text: str) -> str:
        (self.folder / name).write_text(text)
        return str(self.folder / name)


def pressed(world: World, *commands: str) -> None:
    path = world.host.path(JANE)
    for command in commands:
        assert world.host.press(path, command)[0] == 200


#: What Jane has said.
SAID: dict[str, Callable[[World], None]] = {
    "a mute": lambda world: pressed(world, "mute"),
    "a mute for everything": lambda world: pressed(world, "mute-all"),
    "a mute and an undo": lambda world: pressed(world, "mute", "undo"),
    "a mute by phone": lambda world: world.host.optout.mute(JANE, "beta-42", "phone"),
}


def sends(way: Any, person: str) -> Callable[[World], object]:
    library, name = way

    def send(world: World) -> None:
        library.ways[name](world.host, world.smtp, [library.invitation(world.host, Wanted([person]))])

    return send


def sends_many(world: World) -> object:
    world.host.mail.send_invitations([world.host.invitation(to) for to in PEOPLE])
    return None


def sends_to_a_server_that_refuses(world: World) -> object:
    world.host.app.config["MAIL_PORT"] = 1
    return world.host.app.extensions["mail"].send(world.host.invitation(JANE))


def gets(*paths: str, **headers: str) -> Callable[[World], object]:
    def get(world: World) -> object:
        return [shown(world.operator.get(world.path() + path, headers=headers)) for path in paths]

    return get


def searches(world: World) -> object:
    queries = (
        "",
        f"?q={JANE}",
        "?q=@corp.example",
        "?q=jan join",
        "?opportunity=beta-42",
        "?failed=1",
        "?x=y",
    )
    parts: tuple[dict[str, str], ...] = ({}, {"HX-Request": "1"})
    return [shown(world.operator.get(LOG + query, headers=headers)) for query in queries for headers in parts]


def sends_again(world: World) -> object:
    path = f"{world.path()}/send-again"
    return [
        shown(post(world.operator, path)),
        shown(world.operator.get(path)),
        shown(world.operator.get(world.path())),
    ]


def saves_a_filter(world: World) -> object:
    page = f"{LOG}?q={JANE}&opportunity=beta-42"
    saved = post(world.operator, page, name="Jane", do="save")
    return shown(saved), shown(world.operator.get(LOG)), shown(world.operator.get(f"{LOG}nothing/here"))


def asks(world: World) -> object:
    path, client = world.ask_path(), world.host.app.test_client()
    answers = [
        shown(client.get(path)),
        *(shown(client.post(path, data={"address": to})) for to in (JANE, "x@y.example")),
    ]
    settle()
    return answers


def finds_links(world: World) -> object:
    client = world.host.app.test_client()
    answers = [shown(client.get("/optout/")), shown(client.post("/optout/", data={"address": JANE}))]
    settle()
    return answers


def tries_the_doors_with_what_it_holds(world: World) -> object:
    token, client = world.ask_path().rpartition("/")[2], world.host.app.test_client()
    forms = ({"choice": "undo"}, {"choice": "mute"}, {"List-Unsubscribe": "One-Click"})
    return [
        [shown(client.get(door + token)), *(shown(client.post(door + token, data=form)) for form in forms)]
        for door in ("/optout/", "/OPTOUT/", "/optout/one-click/", "/optout/ASK/")
    ]


def commands(world: World) -> dict[str, Callable[[], object]]:
    people = "".join(f"{to}\n" for to in PEOPLE)
    listed = world.write("list.csv", "email\n" + people)
    run = world.run

    def imports() -> object:
        first = run("import", listed, "--opportunity", "beta-42", "--yes")
        return first, run("import", "--list"), run("import", "--undo", "1", "--yes")

    def alarms() -> object:
        world.host.wait(86_400)
        return run("alarms")

    return {
        "alarms": alarms,
        "doctor": lambda: run("doctor", "--offline"),
        "erase": lambda: run("erase", JANE, "--yes"),
        "export": lambda: run("export", JANE),
        "import": imports,
        "init": lambda: run("init"),
        "init-db": lambda: run("init-db"),
        "mute": lambda: run("mute", "-", "beta-42", input=people),
        "notify-domain": lambda: (
            run("notify-domain", "corp.example", "--dry-run"),
            run("notify-domain", "corp.example", "--yes"),
        ),
        "prune": lambda: run("prune"),
        "receive": lambda: run("receive", "--recipient", JANE, input="Subject: unsubscribe\n\n"),
        "replay": lambda: run("replay"),
        "rotate-key": lambda: run("rotate-key"),
        "scan-me": lambda: run("scan-me", f"https://invite.example.org{world.ask_path()}"),
    }


PAGES: dict[str, Callable[[World], object]] = {
    "the list": searches,
    "the parts of an invitation": gets("", "?part=text", "?part=html", "?part=headers"),
    "its html": gets("/html", "/html?remote=1"),
    "its mail file": gets(".eml"),
    "sending it again": sends_again,
    "saved filters": saves_a_filter,
    "another way to ask": gets("", "/html", HX_Request="true"),
}
SENDS: dict[str, Callable[[World], object]] = {
    **{f"{library.name} {name}": sends((library, name), JANE) for library, name in WAYS},
    "many at once": sends_many,
    "a server that refuses": sends_to_a_server_that_refuses,
}
DOORS: dict[str, Callable[[World], object]] = {
    "the copied URL": asks,
    "lost links": finds_links,
    "every door with what an operator holds": tries_the_doors_with_what_it_holds,
}
COMMANDS: dict[str, Callable[[World], object]] = {
    f"flask optout {name}": lambda world, name=name: commands(world)[name]()  # type: ignore[misc]
    for name in optout_cli.commands
}
CHANNELS = {**PAGES, **SENDS, **DOORS, **COMMANDS}


def shown(answer: Any) -> tuple[str, list[tuple[str, str]], str]:
    headers = [(name, value) for name, value in answer.headers if name != "Content-Length"]
    return answer.status, headers, answer.get_data(as_text=True)


def alike(seen: object) -> str:
    """What was seen, less what differs between any two hosts: ids, times, signatures, places."""
    text = re.sub(r"/\S*?/(muted|silent)/", "/FOLDER/", str(seen))
    text = re.sub(r"gAAAA[\w-]+=*", "ID", text)  # before what may stand in one by chance
    text = re.sub(r"[a-z2-7]{80,}", "TOKEN", text, flags=re.IGNORECASE)
    text = re.sub(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{64}\b|={10,}\d+|\bb(['\"]).*?\1(?=[,)])", "RANDOM", text)
    text = re.sub(
        r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:\+00:00)?)?|\w{3}, \d\d \w{3} \d{4} [\d:]+", "TIME", text
    )
    text = re.sub(r"\[(?:generated in|cached since|no key) [^]]*\]", "", text)  # whether SQLAlchemy knew a statement
    text = re.sub(r"0x[0-9a-f]+|127\.0\.0\.1:\d+|localhost:\d+", "PLACE", text)
    text = re.sub(r"\d{17,19}", "ID", text)
    return "".join(sorted(re.split(r"(?=<tr>)|(?<=</tr>)", text)))  # rows of one minute stand in no order


@contextmanager
def watched(world: World) -> Iterator[dict[str, list[str]]]:
    """Every log record, at every level; every signal of Flask and of Flask-Mail; every statement."""
    seen: dict[str, list[str]] = {"logged": [], "signalled": []}

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not record.name.startswith(("sqlalchemy.pool", "asyncio", "mail.log")):
                seen["logged"].append(f"{record.name} {record.levelname} {record.getMessage()}")

    handler, root = Handler(logging.DEBUG), logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)

    def heard(name: str) -> Callable[..., None]:
        def hear(sender: Any, **values: Any) -> None:
            told = [getattr(value, "send_to", None) or str(value)[:30] for value in values.values()]
            seen["signalled"].append(f"{name} {told}")

        return hear

    with ExitStack() as stack:
        stack.callback(root.removeHandler, handler)
        stack.callback(root.setLevel, level)
        signals = [flask.template_rendered, flask.before_render_template, flask.got_request_exception]
        for signal in (*signals, flask.request_finished, flask_mail.email_dispatched):
            stack.enter_context(signal.connected_to(heard(str(signal))))
        seen["statements"] = stack.enter_context(statements(world.host))
        yield seen


def kept(host: Host) -> dict[str, list[str]]:
    """What stands in the tables, but for the choices."""
    tables = [table for table in host.db.metadata.sorted_tables if table.name not in CHOICES]
    with host.db.engine.connect() as connection:
        return {
            table.name: sorted(alike(tuple(row)) for row in connection.execute(sa.select(table))) for table in tables
        }


def observe(folder: Path, channel: Callable[[World], object], said: Callable[[World], None] | None) -> dict[str, str]:
    """All that an operator sees of one channel."""
    folder.mkdir()
    with smtp_server(Mailbox) as smtp:
        host = make_host(
            folder,
            operator=lambda: request.headers.get("X-Operator"),
            MAIL_SERVER=smtp.host,
            MAIL_PORT=smtp.port,
            OPTOUT_FIND_LINK=True,
            SQLALCHEMY_ECHO="debug",
        )
        world = World(host, smtp, folder)
        with host.app.app_context():
            host.mail.send_invitations([host.invitation(to) for to in PEOPLE])
            if said is not None:
                said(world)
            smtp.received.clear()
            with watched(world) as seen:
                try:
                    result = channel(world)
                except (OptOutError, OSError, smtplib.SMTPException) as error:
                    result = f"{type(error).__name__}: {error}"
            found: dict[str, object] = {"result": result, **{name: "\n".join(each) for name, each in seen.items()}}
            found["mails"] = len(smtp.received)
            found["tables"] = kept(host)
            found["files"] = sorted(file.name for file in folder.rglob("*"))
        dispose(host)
    return {name: alike(each) for name, each in found.items()}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(
    "channel", [pytest.param(name, marks=[pytest.mark.adapter] * (name in SENDS)) for name in CHANNELS]
)
def test_no_channel_tells_what_a_candidate_has_said(tmp_path: Path, channel: str, said: str) -> None:
    muted = observe(tmp_path / "muted", CHANNELS[channel], SAID[said])
    silent = observe(tmp_path / "silent", CHANNELS[channel], None)
    if channel in SENDS:  # whoever reads the mail server's log knows: README.md says so
        del muted["mails"], silent["mails"]
    for sight in silent:
        if channel in DOORS:  # which answer first and mail by a thread: in no order of lines
            muted[sight], silent[sight] = ("\n".join(sorted(each[sight].split("\n"))) for each in (muted, silent))
        assert muted[sight] == silent[sight], f"{channel}: {sight}"


def test_the_sweep_would_see_a_choice(tmp_path: Path) -> None:
    """What the candidate's own page shows differs, so that the comparison can fail."""

    def candidate(world: World) -> object:
        return shown(world.host.app.test_client().get(world.host.path(JANE)))

    muted = observe(tmp_path / "muted", candidate, SAID["a mute"])
    assert muted["result"] != observe(tmp_path / "silent", candidate, None)["result"]


def test_every_operator_page_and_every_door_is_swept(tmp_path: Path) -> None:
    asked: set[str | None] = set()

    def note(world: World) -> object:
        world.host.app.teardown_request_funcs[None] = [lambda error: asked.add(request.endpoint)]
        pages = {str(rule.endpoint) for rule in world.host.app.url_map.iter_rules()}
        for channel in (*PAGES.values(), *DOORS.values()):
            channel(world)
        return sorted(page for page in pages if page not in asked)

    unseen = observe(tmp_path / "host", note, None)["result"]
    assert unseen == "['optout.static', 'static']"
