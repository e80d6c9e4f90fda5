"""The doors as a server answers them: what is asked again, what cannot be told, and what is wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from email.message import Message

import pytest

from flask_optout.doctor import doors as module
from flask_optout.doctor.doors import Probe, ask, check_doors
from flask_optout.doctor.finding import Finding
from flask_optout.doctor.http import NoReply, Reply
from tests.support.findings import ids, the

HERE = "https://jobs.example.org"
PROBE = Probe(f"{HERE}/optout/aaaa", f"{HERE}/optout/one-click/aaaa")
READER = Probe(f"{HERE}/optout/bbbb", f"{HERE}/optout/one-click/bbbb")
EMAIL_LOG = f"{HERE}/optout/operator/"
PAGE = '<form><button name="choice" value="{choice}">{label}</button></form>'
INVITED = PAGE.format(choice="mute", label="Not Interested?")
MUTED = PAGE.format(choice="undo", label="I've changed my mind.")
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
}


def answer(status: int = 200, text: str = "", expires: float | None = None, **headers: str) -> Reply:
    said = Message()
    for name, value in {**HEADERS, **headers}.items():
        said.add_header(name.replace("_", "-"), value)
    return Reply(status, said, text, expires)


class Server:
    """An app as it should be, in a table: what is put into ``answers`` by method and URL is answered instead."""

    def __init__(self, answers: dict[str, Reply | NoReply] | None = None) -> None:
        self.answers = {} if answers is None else dict(answers)
        self.muted = False
        self.asked: Counter[str] = Counter()

    def knock(self, method: str, url: str, body: tuple[bytes, str] | None = None, agent: str = "") -> Reply:
        key = f"{method} {url}"
        self.asked[key] += 1
        found = self.answers.get(key) or self.answers.get(f"{key} {body[0].decode() if body else agent}")
        if isinstance(found, NoReply):
            raise found
        if found is not None:
            return found
        if url == EMAIL_LOG or url == PROBE.one_click and method == "POST" and not (body and b"One-Click" in body[0]):
            return answer(404 if url == EMAIL_LOG else 400)
        if method == "POST":
            self.muted = url == PROBE.one_click
            return answer()
        return answer(text=MUTED if self.muted and url == PROBE.landing else INVITED)


Try = Callable[..., list[Finding]]


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Try:
    monkeypatch.setattr(module, "PAUSE", 0.0)
    monkeypatch.setattr(module, "WAIT", 0.0)

    def tried(server: Server, own_page: bool = False) -> list[Finding]:
        monkeypatch.setattr(module, "send_request", server.knock)
        return list(check_doors(PROBE, READER, EMAIL_LOG, own_page=own_page))

    return tried


FINE = {"doors.page", "doors.headers", "doors.reading", "doors.one-click", "doors.cache", "doors.email-log"}
GET, POST = f"GET {PROBE.landing}", f"POST {PROBE.one_click}"
ONE_CLICK = f"{POST} List-Unsubscribe=One-Click"


def test_a_landing_page_of_the_hosts_without_a_button_is_named(tried: Try) -> None:
    assert ids(tried(Server({GET: answer(text="Welcome.")}), own_page=True)) == {"doors.landing"}


@pytest.mark.parametrize(
    ("answers", "lost", "found"),
    [
        ({}, set(), set()),
        # The candidate's page.
        ({GET: answer(302, Location="https://elsewhere.example/")}, FINE, {"doors.page.redirect"}),
        ({GET: answer(404)}, FINE, {"doors.page.lost"}),
        ({GET: answer(500)}, FINE, {"doors.page.broken"}),
        ({GET: answer(text="Welcome.")}, FINE, {"doors.page.empty"}),
        ({GET: NoReply("nobody", "unreachable")}, FINE, {"doors.unreachable"}),
        ({GET: NoReply("slow")}, FINE, {"doors.page.unknown"}),
        ({GET: NoReply("old", "certificate.expired")}, FINE, {"doors.certificate.expired"}),
        # Busy, and asking for a person, is neither well nor broken.
        ({GET: answer(429)}, FINE, {"doors.page.unknown"}),
        ({GET: answer(503)}, FINE, {"doors.page.unknown"}),
        ({GET: answer(403, cf_mitigated="challenge")}, FINE, {"doors.page.unknown"}),
        ({GET: answer(text="<title>Just a moment...</title>")}, FINE, {"doors.page.unknown"}),
        ({GET: answer(403, "<script src='//geo.captcha-delivery.com/c.js'>")}, FINE, {"doors.page.unknown"}),
        ({GET: answer(403, "<div id='px-captcha'>")}, FINE, {"doors.page.unknown"}),
        ({GET: answer(428, '{"sec-cp-challenge": "true"}')}, FINE, {"doors.page.unknown"}),
        ({GET: answer(202, "<meta content='0;/.well-known/sgcaptcha/?r=/'>")}, FINE, {"doors.page.unknown"}),
        ({GET: answer(403, "<title>Vercel Security Checkpoint</title>")}, FINE, {"doors.page.unknown"}),
        ({GET: answer(406, "<script src='/_fs-ch-1T1wmsGaOgGaSxcX/script.js'>")}, FINE, {"doors.page.unknown"}),
        ({GET: answer(403, "Access Denied")}, FINE, {"doors.page.broken"}),
        ({POST: answer(403, x_datadome="1")}, {"doors.one-click", "doors.cache"}, {"doors.one-click.unknown"}),
        # Programs.
        ({f"{GET} flask-optout-doctor": answer(403)}, set(), {"doors.agents"}),
        # Reading.
        ({f"GET {READER.landing}": answer(text="Welcome.")}, {"doors.reading"}, {"doors.reading.unknown"}),
        ({f"GET {READER.landing}": answer(404)}, {"doors.reading"}, {"doors.reading.unknown"}),
        ({f"HEAD {READER.one_click}": answer(429)}, {"doors.reading"}, {"doors.reading.unknown"}),
        # One click.
        ({f"{POST} ": answer(200)}, set(), {"doors.one-click.marker"}),
        ({ONE_CLICK: answer(403)}, {"doors.one-click"}, {"doors.one-click.refused"}),
        ({ONE_CLICK: answer(200, Location="/")}, {"doors.one-click"}, {"doors.one-click.refused"}),
        ({ONE_CLICK: answer(204)}, set(), set()),
        ({ONE_CLICK: answer(200, Set_Cookie="a=1")}, set(), {"doors.cookie"}),
        # Taking it back, and the Email Log.
        ({f"POST {PROBE.landing}": answer(400)}, set(), {"doors.button"}),
        ({f"GET {EMAIL_LOG}": answer(200)}, {"doors.email-log"}, {"doors.email-log.open"}),
        ({f"GET {EMAIL_LOG}": answer(302)}, set(), set()),
        ({f"GET {EMAIL_LOG}": answer(503)}, {"doors.email-log"}, {"doors.email-log.unknown"}),
    ],
)
def test_what_a_server_answers(
    tried: Try, answers: dict[str, Reply | NoReply], lost: set[str], found: set[str]
) -> None:
    assert ids(tried(Server(answers))) == FINE - lost | found


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("", set()),
        ("<script src='/static/htmx.js'></script>", set()),
        ("<script src='https://cdn.example/a.js'></script>", {"cdn.example"}),
        ("<script src='/cdn-cgi/scripts/email-decode.js'></script>", {"/cdn-cgi/"}),
    ],
)
def test_scripts_of_others_are_named(tried: Try, page: str, found: set[str]) -> None:
    told = tried(Server({f"GET {READER.landing}": answer(text=INVITED + page)}))
    assert {finding.facts["sources"] for finding in told if finding.id == "doors.scripts"} == found


@pytest.mark.parametrize(
    ("hops", "target"),
    [
        ({"/": "/en/", "/en/": "/en/home"}, None),
        ({"/": "https://www.elsewhere.example/"}, "www.elsewhere.example"),
        ({"/": "/a", "/a": "/"}, None),
        ({"/": "/"}, None),
    ],
)
def test_where_the_front_page_leads(tried: Try, hops: dict[str, str], target: str | None) -> None:
    server = Server({f"GET {HERE}{path}": answer(302, Location=to) for path, to in hops.items()})
    told = [finding.facts["target"] for finding in tried(server) if finding.id == "doors.front.redirect"]
    assert told == ([target] if target else [])
    assert not any("elsewhere" in asked or "parked" in asked for asked in server.asked)


@pytest.mark.parametrize(("days", "id"), [(90, "doors.certificate"), (5, "doors.certificate.soon")])
def test_the_days_of_a_certificate_are_counted(tried: Try, days: int, id: str) -> None:
    finding = the(tried(Server({GET: answer(text=INVITED, expires=time.time() + days * 86_400 + 60)})), id)
    assert finding.facts["days"] == str(days)


def test_a_choice_that_a_get_changes_is_told(tried: Try) -> None:
    server = Server()
    plain = server.knock

    def knock(method: str, url: str, body: tuple[bytes, str] | None = None, agent: str = "") -> Reply:
        if url == READER.one_click:
            server.answers[f"GET {READER.landing}"] = answer(text=MUTED)
        return plain(method, url, body, agent)

    server.knock = knock  # type: ignore[method-assign]
    assert "doors.reading.changes" in ids(tried(server))


def test_a_page_that_asks_to_press_once_more_is_pressed_by_the_same_words(tried: Try) -> None:
    once_more = "<form><button name='b7' value='x'>I've changed my mind.</button></form>"
    server = Server()
    plain, posts = server.knock, []

    def knock(method: str, url: str, body: tuple[bytes, str] | None = None, agent: str = "") -> Reply:
        if method == "POST" and url == PROBE.landing:
            posts.append(body and body[0].decode())
            if posts[-1] == "choice=undo":
                return answer(text=once_more)
        return plain(method, url, body, agent)

    server.knock = knock  # type: ignore[method-assign]
    assert ids(tried(server)) == FINE
    assert posts == ["choice=undo", "b7=x"]


def test_a_server_that_is_busy_is_asked_again_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses = [429, 503, 200]
    monkeypatch.setattr(module, "WAIT", 0.0)
    monkeypatch.setattr(module, "send_request", lambda *_: answer(statuses.pop(0)))
    assert ask("GET", HERE).status == 200
    statuses += [429, 429, 429, 200]
    with pytest.raises(NoReply, match=r"limits requests \(429\)") as raised:
        ask("GET", HERE)
    assert raised.value.end == "page.unknown"
    assert statuses == [200]


def test_a_page_of_ours_with_the_words_of_a_firewall_is_no_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    page = answer(text=f"{INVITED}<script src='/cdn-cgi/challenge-platform/x.js'></script>", cf_mitigated="x")
    monkeypatch.setattr(module, "send_request", lambda *_: page)
    assert ask("GET", HERE) is page
