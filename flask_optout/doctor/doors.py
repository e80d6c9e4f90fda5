"""The doors, over HTTP at the deployed base URL: reading changes nothing, one click is one POST, and nothing stands
in between.

They are tried with the links of a probe: a person and an opportunity that belong to nobody.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

from ..addresses import Address, parse
from .finding import Finding, Severity, ok, unknown
from .http import Answer, NoAnswer

#: A method, a URL, and a body with its type.
Knock = Callable[[str, str, tuple[str, str] | None], Answer]
#: example.com is nobody's (RFC 2606 section 3).
PROBE: Address = parse("optout-doctor@example.com")
PROBE_OPPORTUNITY = "optout-doctor"
#: The bodies of one click and their types: as most mail programs send it, as they should (RFC 8058 section 3.2).
SIGNALS = (
    ("List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
    (
        '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
        "multipart/form-data; boundary=x",
    ),
)
MOST_SECONDS_APART = 120
#: Seconds: no person presses sooner than this, so a page may take a faster press for a scanner's, and ask again.
PAUSE = 0.5
MOST_PRESSES = 3
CUT_OFF = "Candidates cannot opt out, and press Spam instead."
PROXY = (
    "Let requests below OPTOUT_URL_PREFIX through your proxy, login and firewall unchanged, and cache none of them."
)
#: Headers of the candidate's pages: what each must hold, and what happens without it.
HEADERS = (
    ("cache-control", "no-store", "A cache could show one candidate's answer to another."),
    ("referrer-policy", "same-origin", "The page's link, which is a credential, would leak to other sites."),
    ("x-robots-tag", "noindex", "Search engines that find a link in a mailbox would list it."),
    (
        "content-security-policy",
        "frame-ancestors 'none'",
        "Another site could put the page into a frame and have it pressed.",
    ),
    ("x-content-type-options", "nosniff", "A browser could take the page for something else."),
)


class _Form(HTMLParser):
    """Gathers the choices that a page offers, each with what its form sends beside it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.choices: dict[str, dict[str, str]] = {}
        self._hidden: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._hidden = {}
        elif tag == "button" and attributes.get("name") == "choice":
            self.choices[attributes.get("value", "")] = self._hidden
        elif tag == "input" and attributes.get("type") == "hidden" and attributes.get("name"):
            self._hidden[attributes["name"]] = attributes.get("value", "")

    @property
    def is_muted(self) -> bool:
        return "undo" in self.choices or "undo-all" in self.choices


def doors(landing: str, one_click: str, email_log: str | None, knock: Knock) -> Iterator[Finding]:
    """Try the doors of a probe, and the operators' door as a stranger.

    :param landing: the probe's link.
    :param one_click: its link for mail programs.
    :param email_log: where the Email Log is, if it has pages.
    """
    where = urlsplit(landing).netloc
    try:
        before = time.time()
        first = knock("GET", landing, None)
        wrong = _page(first, where)
        yield wrong or ok("doors.page", f"{where} shows the candidate's page.")
        if wrong is None:
            yield from _headers(first)
            yield from _clock(first, before)
            yield from _reading(landing, one_click, knock)
            yield from _pressing(landing, one_click, knock)
            if email_log is not None:
                yield _as_a_stranger(knock("GET", email_log, None))
    except NoAnswer as reason:
        if reason.certain:
            mend = "Set OPTOUT_BASE_URL to where candidates reach this app, and see that it runs there."
            yield Finding("doors.page", Severity.FAIL, f"Nobody is at {where}: {reason}.", CUT_OFF, mend)
        else:
            yield unknown("doors.page", f"what {where} shows to candidates", str(reason))


def _as_a_stranger(answer: Answer) -> Finding:
    if not 200 <= answer.status < 300:
        return ok("doors.email-log", f"The Email Log does not open to strangers ({answer.status}).")
    return Finding(
        "doors.email-log",
        Severity.FAIL,
        "The Email Log opens to anybody.",
        "It shows who was invited to what, with their addresses.",
        "Give OptOut a guard that asks who is there.",
        paste="optout = OptOut(db, app, operator=lambda: current_user.is_authenticated and current_user.is_staff)",
    )


def _page(answer: Answer, where: str) -> Finding | None:
    """What is wrong when a candidate opens the link, if anything is."""
    if 300 <= answer.status < 400:
        seen = f"{where} answers a candidate's link with a redirect ({answer.status})."
        mend = f"{PROXY} A login wall must let the blueprint 'optout' pass."
    elif answer.status == 404:
        seen = f"{where} does not know a link made with this app's key (404)."
        mend = (
            "Run the doctor with the settings of the deployed app: same OPTOUT_KEYS, OPTOUT_URL_PREFIX and base URL."
        )
    elif answer.status != 200:
        seen = f"{where} answers a candidate's link with {answer.status}."
        mend = "Look into the log of the app: it says what is missing."
    elif not _Form(answer.text).choices:
        seen = f"{where} shows a page without the button that opts out."
        mend = f"{PROXY} If you replaced a template, keep its buttons named 'choice'."
    else:
        return None
    return Finding("doors.page", Severity.FAIL, seen, CUT_OFF, mend)


def _headers(answer: Answer) -> Iterator[Finding]:
    lost = [(name, value, why) for name, value, why in HEADERS if value not in answer.all(name).lower()]
    for name, value, why in lost:
        seen = f"The candidate's page comes without {name}: {value}."
        mend = f"{PROXY} Whatever sets its own {name} must leave that of the blueprint 'optout' alone."
        yield Finding(
            "doors.headers", Severity.WARN, seen, why, mend, "RFC 9111 section 5.2" if "cache" in name else ""
        )
    if not lost:
        yield ok("doors.headers", "The candidate's page carries its headers.")
    if "require-trusted-types-for" in answer.all("content-security-policy"):
        seen = "The content security policy asks for trusted types."
        mend = "Override the block 'head' of optout/base.html without the script: the plain form works everywhere."
        yield Finding(
            "doors.trusted-types", Severity.WARN, seen, "htmx swallows the press, and nothing happens.", mend
        )
    if answer.has("set-cookie"):
        yield _cookie("The candidate's page")


def _cookie(what: str) -> Finding:
    return Finding(
        "doors.cookie",
        Severity.FAIL,
        f"{what} sets a cookie.",
        "Mail programs send none back (RFC 8058), and a page that tracks its reader is trusted less.",
        "Leave out the blueprint 'optout' wherever sessions, balancers or analytics set cookies.",
        "RFC 8058 section 3.2",
    )


def _clock(answer: Answer, now: float) -> Iterator[Finding]:
    try:
        there = email.utils.parsedate_to_datetime(answer.all("date")).timestamp()
    except (ValueError, TypeError):
        return
    if abs(there - now) > MOST_SECONDS_APART:
        seen = f"The clock of the deployed app differs from this machine's by {abs(there - now):.0f} seconds."
        mend = "Let both set their clocks by NTP."
        why = "The days of choices come out wrong."
        yield Finding("doors.clock", Severity.WARN, seen, why, mend, paste="timedatectl set-ntp true")


def _reading(landing: str, one_click: str, knock: Knock) -> Iterator[Finding]:
    """Open every link as scanners do, and look whether the page says something else afterwards."""
    before = _Form(knock("GET", landing, None).text)
    for url in (
        f"{landing}?choice={'undo' if before.is_muted else 'mute'}",
        one_click,
        f"{one_click}?{SIGNALS[0][0]}",
    ):
        for method in ("GET", "HEAD", "OPTIONS"):
            knock(method, url, None)
    after = _Form(knock("GET", landing, None).text)
    if after.choices.keys() == before.choices.keys():
        yield ok("doors.reading", "Opening links changes nothing: GET, HEAD and OPTIONS left the choice alone.")
    else:
        yield Finding(
            "doors.reading",
            Severity.FAIL,
            "Opening a link changed the candidate's choice.",
            "Scanners open every link of a message, so they would opt candidates out.",
            "Something in front of the app turns a GET into a POST: pass methods on as they are.",
            "RFC 9110 section 9.2.1",
        )


def _pressing(landing: str, one_click: str, knock: Knock) -> Iterator[Finding]:
    """One click as mail programs do it, and back again."""
    fresh = _undone(landing, knock)
    if not 400 <= knock("POST", one_click, ("", SIGNALS[0][1])).status < 500:
        seen = "The one-click door takes a POST without List-Unsubscribe=One-Click."
        why, section = "Scanners that post would opt candidates out.", "RFC 8058 section 3.2"
        yield Finding("doors.one-click.marker", Severity.FAIL, seen, why, PROXY, section)
    answers = [(kind, knock("POST", one_click, (body, kind))) for body, kind in SIGNALS]
    wrong = [_refused(kind, answer) for kind, answer in answers if answer.status > 204 or answer.has("location")]
    yield from wrong or [ok("doors.one-click", f"One click answers {answers[0][1].status}, without a redirect.")]
    if any(answer.has("set-cookie") for _, answer in answers):
        yield _cookie("The answer to one click")
    if len(wrong) < len(answers):
        yield _takes_effect(fresh, _Form(knock("GET", landing, None).text).is_muted)
        if not _undone(landing, knock):
            seen = "The button that takes an opt-out back does nothing."
            mend = f"{PROXY} No CSRF check may stand before the blueprint 'optout'."
            yield Finding("doors.button", Severity.FAIL, seen, "Who opted out by mistake stays out.", mend)


def _refused(kind: str, answer: Answer) -> Finding:
    what = f"{answer.status}{' and a redirect' if answer.has('location') else ''}"
    seen = f"One click as {kind.partition(';')[0]} answers {what}, and must answer 200."
    mend = f"{PROXY} No CSRF check, login or canonical host may stand before it."
    return Finding("doors.one-click", Severity.FAIL, seen, CUT_OFF, mend, "RFC 8058 section 3.1")


def _takes_effect(fresh: bool, muted: bool) -> Finding:
    if not fresh:
        return unknown("doors.cache", "whether one click takes effect", "the probe was opted out before")
    if muted:
        return ok("doors.cache", "After one click the page says so at once.")
    return Finding(
        "doors.cache",
        Severity.FAIL,
        "After one click the page still says what it said before.",
        "A cache answers for the app, or its processes do not share one store: choices are not obeyed.",
        f"{PROXY} Give all processes the same SQLALCHEMY_DATABASE_URI.",
        "RFC 9111 section 5.2",
    )


def _undone(landing: str, knock: Knock) -> bool:
    """Make the probe a candidate who may be invited, so that a mute can be seen to take effect."""
    form = _Form(knock("GET", landing, None).text)
    for _ in range(MOST_PRESSES):
        if not form.is_muted:
            break
        choice = "undo" if "undo" in form.choices else "undo-all"
        time.sleep(PAUSE)
        answer = knock("POST", landing, (urlencode({**form.choices[choice], "choice": choice}), SIGNALS[0][1]))
        # A page that took the press for a scanner's asks for it once more, with a form of its own.
        asked = _Form(answer.text)
        form = asked if asked.choices else _Form(knock("GET", landing, None).text)
    return not _Form(knock("GET", landing, None).text).is_muted
