"""Two hosts that are served to browsers: one with invitations in its Email Log, and one without tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from flask import Response

from flask_optout import Opportunity
from flask_optout.addresses import parse
from flask_optout.email_log.records import LARGEST_ID
from flask_optout.email_log.search import Criteria
from flask_optout.invitations.compose import Draft
from flask_optout.mailers.own_mails import compose_link_letter, get_default_sender
from flask_optout.wiring import current_state
from tests.support.email_log import read_until
from tests.support.host_looks import put_on_looks
from tests.support.hosts import Host, Mailbox, dispose, free_port, http_server, make_host, say

ABOUT = {
    "beta-42": {
        "title": "Pixel Beta",
        "summary": "Try the new camera for two weeks, and tell us what you would change about it.",
        "link": "/about/beta-42",
        "picture": "/picture.svg",
    },
    "study-7": {
        "title": "Sleep and Shift Work: a Four-Week Diary Study for Hospital Staff, Autumn and Winter",
        "summary": "Wear a watch at night, write three lines each morning, and talk to us for half an hour.",
    },
}
#: Hills, for want of a photograph.
PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 280"><path fill="#bfd7ea" d="M0 0h640v280H0z"/>
<circle cx="500" cy="80" r="36" fill="#ffe8a3"/><path fill="#5b8c85" d="M0 280 190 90l140 130 80-60 230 120z"/>
</svg>"""
DRAFT = Draft(["jane@example.org"], "beta-42", "Join us", text=None, html=None, sender="team@example.org")
#: Invitations as hosts lay them out: simply, by a centred table, and by a dark one with a place for the footer.
HTMLS = {
    "simple": "<p>Hello Jane,</p><p>will you try our camera?</p>",
    "table": """<body style="margin:0;background:#eef1f4"><table role="presentation" align="center" width="560"
style="max-width:100%;background:#fff"><tr><td style="padding:32px;font-family:Georgia,serif"><h1>Pixel Beta</h1>
<p>Will you try our camera?</p></td></tr></table></body>""",
    "slot": """<body style="margin:0;background:#111827;color:#f3f4f6">
<table role="presentation" align="center" width="560" style="max-width:100%;background:#1f2937">
<tr><td style="padding:32px;color:#f3f4f6">
<h1>Pixel Beta</h1><p>Will you try our camera?</p></td></tr><tr><td style="background:#374151;color:#f3f4f6">
<!-- optout_footer --></td></tr></table></body>""",
}


@dataclass(frozen=True)
class Stage:
    """A served host whose Email Log everybody may read, and another that has no tables."""

    host: Host
    broken: Host
    people: Iterator[int] = field(default_factory=count)

    def link(self, to: str, opportunity: str = "beta-42") -> str:
        return self.host.optout.link(f"{to}@example.org", opportunity)

    def url(self, path: str) -> str:
        return f"{self.host.app.config['OPTOUT_BASE_URL']}{path}"

    def log(self, path: str = "") -> str:
        return self.url(f"/optout/operator/{path}")

    def sent(self, to: str) -> str:
        """The page of the newest invitation to somebody."""
        rows = current_state().search.find(Criteria(mailbox=f"{to}@example.org")).entries
        return self.log(str(rows[0].id))


@contextmanager
def stage(folder: Path, smtp: Mailbox) -> Iterator[Stage]:
    """Serve both hosts, with a few invitations sent and the first one's context pushed."""
    hosts = []
    for name in ("host", "broken"):
        (folder / name).mkdir(parents=True)
        url = f"http://127.0.0.1:{free_port()}"
        settings = {"MAIL_SERVER": smtp.host, "MAIL_PORT": smtp.port, "OPTOUT_BASE_URL": url}
        settings["OPTOUT_OPERATOR_HOME"] = "/admin/"
        hosts.append(make_host(folder / name, operator=lambda: "Olga", **settings))
        hosts[-1].optout.opportunity_loader(ABOUT.get)
        hosts[-1].app.add_url_rule("/picture.svg", "picture", lambda: Response(PICTURE, mimetype="image/svg+xml"))
    host, broken = hosts
    put_on_looks(host)
    _show_mails(host)
    with (
        pytest.MonkeyPatch.context() as patched,
        http_server(host.app, _port(host)),
        http_server(broken.app, _port(broken)),
        broken.app.app_context(),
    ):
        read_until(patched, lambda: LARGEST_ID)
        broken.optout.link("jane@example.org", "beta-42")  # reads the data key while it is there
        broken.db.drop_all()
        with host.app.app_context():
            _invite(host)
            say(host, True, to="muted@example.org")
            yield Stage(host, broken)
    for each in hosts:
        dispose(each)


def _show_mails(host: Host) -> None:
    """Serve what a mail program shows: the html of an invitation, one whose layout is a table, and a mail of ours."""

    @host.app.get("/mail/<name>")
    def mail(name: str) -> str:
        url = host.optout.link("jane@example.org", "beta-42")
        if name in HTMLS:
            letter = current_state().composer.compose(replace(DRAFT, html=HTMLS[name]))
            return f'<!doctype html><html lang="en"><title>Mail</title>{letter.html}'
        ours = compose_link_letter(
            parse("jane@example.org"), "beta-42", (Opportunity("Pixel Beta"), url), sender=get_default_sender()
        )
        return ours.html or ""


def _port(host: Host) -> int:
    return int(str(host.app.config["OPTOUT_BASE_URL"]).rpartition(":")[2])


def _invite(host: Host) -> None:
    for to, opportunity in (
        ("zoe.martin", "study-7"),
        ("kofi", "beta-42"),
        ("a-person-with-a-rather-long-name.and-another", "study-7"),
        ("a-person", "beta-42"),
    ):
        host.mail.send(host.invitation(f"{to}@example.org", opportunity))
    jane = host.invitation("Jane Doe <jane@example.org>")
    jane.attach("The programme.pdf", "application/pdf", b"%PDF")
    host.mail.send(jane)
