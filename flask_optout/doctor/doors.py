"""The doors, over HTTP at the deployed base URL: reading changes nothing, one click is one POST, and nothing stands
in between.

They are tried with the links of two probes, addresses that nobody has, so that one check does not disturb another.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from ..addresses import Address, parse
from .finding import KNOWN, Finding, side_by_side, tell
from .forms import CHROME, FORM, SIGNAL, find_buttons, find_offered, find_scripts
from .http import PROGRAM, NoReply, Reply, check_policies, send_request

#: example.com is nobody's (RFC 2606 section 3).
PROBE: Address = parse("optout-doctor@example.com")
READER: Address = parse("optout-doctor-reader@example.com")
#: Where nobody has been invited to anything yet.
PROBE_OPPORTUNITY = "optout-doctor"
#: One click as most mail programs send it, and as they should (RFC 8058 section 3.2).
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
SIGNALS = (SIGNAL, (MULTIPART, "multipart/form-data; boundary=x"))
#: Seconds: no person presses sooner than this, so a page may take a faster press for a scanner's, and ask again.
PAUSE = 0.5
#: The choices that take an opt-out back.
UNDO = ("undo", "undo-all")
#: Seconds to wait where the server is asked too often, and for each check in all.
WAIT = 1.0
SECONDS_PER_CHECK = 10.0
BUSY = (429, 503)


class Probe(NamedTuple):
    """The links of an address that nobody has: for people, and for mail programs."""

    landing: str
    one_click: str


def check_doors(probe: Probe, reader: Probe, email_log: str | None, own_page: bool = False) -> Iterator[Finding]:
    """Try the doors of a probe, and the operators' door as a stranger.

    :param reader: the probe whose links are only opened.
    :param email_log: where the Email Log is, if it has pages.
    :param own_page: whether the host has a landing page of its own.
    """
    where = urlsplit(probe.landing).netloc
    try:
        first = ask("GET", probe.landing)
    except NoReply as reason:
        yield tell(f"doors.{reason.end}", where=where, reason=reason)
        return
    if first.expires is not None:
        days = int((first.expires - time.time()) // 86_400)
        yield tell("doors.certificate" if days >= 14 else "doors.certificate.soon", where=where, days=days)
    ends = {200: "" if find_offered(first.text) else ".empty", 404: ".lost"}
    end = ends.get(first.status, ".redirect" if 300 <= first.status < 400 else ".broken")
    target = urlsplit(urljoin(probe.landing, first.first("location"))).netloc
    seen = "doors.landing" if own_page and end == ".empty" else f"doors.page{end}"
    yield tell(seen, where=where, status=first.status, target=target or "nowhere")
    if end:
        return
    yield from check_policies(first, probe.landing)
    if first.first("set-cookie"):
        yield tell("doors.cookie", what="page")
    work = {
        "doors.agents": _check_as_program(probe.landing),
        "doors.front": _check_front_page(probe.landing),
        "doors.reading": _check_reading(reader),
        "doors.one-click": _check_pressing(probe),
        "doors.email-log": _check_email_log(email_log),
    }
    yield from side_by_side(work, SECONDS_PER_CHECK)


def ask(method: str, url: str, body: tuple[bytes, str] | None = None, agent: str = CHROME) -> Reply:
    """What a server answers when it is not too busy to.

    :raises NoReply: when it is, or when it answers with a challenge.
    """
    for waited in range(3):
        time.sleep(WAIT if waited else 0)
        answer = send_request(method, url, body, agent)
        if (whose := _find_challenger(answer, method)) is not None:
            raise NoReply(f"{whose} asks whether a person is there ({answer.status})")
        if answer.status not in BUSY:
            return answer
    raise NoReply(f"it is down, busy, or limits requests ({answer.status})")


def _find_challenger(answer: Reply, method: str) -> str | None:
    """Whose page asks whether a person is there, if one does."""
    if find_offered(answer.text):  # a page of ours may carry a firewall's script or header all the same
        return None
    known, refused = KNOWN["challenge"], answer.status in KNOWN["challenge"]["statuses"]
    text = answer.text if refused or method == "GET" else ""
    marks = [whose for header, whose in known["headers"].items() if refused and answer.first(header)]
    return next(iter([*marks, *(whose for words, whose in known["words"].items() if words in text)]), None)


def _check_scripts(answer: Reply, landing: str) -> Iterator[Finding]:
    """Scripts of others in the page."""
    sources = [urlsplit(urljoin(landing, source)) for source in find_scripts(answer.text)]
    foreign = {source.netloc for source in sources if source.netloc != urlsplit(landing).netloc}
    foreign |= {"/cdn-cgi/" for source in sources if source.path.startswith("/cdn-cgi/")}
    if foreign:
        yield tell("doors.scripts", sources=sorted(foreign))


def _check_as_program(landing: str) -> Iterator[Finding]:
    """Whether the page opens for what is no browser."""
    answer = ask("GET", landing, None, PROGRAM)
    if answer.status != 200 or not find_offered(answer.text):
        yield tell("doors.agents", status=answer.status)


def _check_front_page(landing: str) -> Iterator[Finding]:
    """Whether the link's domain itself leads elsewhere; no other host is asked."""
    answer, here = ask("GET", urljoin(landing, "/")), urlsplit(landing).netloc
    target = urlsplit(urljoin(landing, answer.first("location"))).netloc
    if 300 <= answer.status < 400 and target != here:
        yield tell("doors.front.redirect", where=here, target=target)


def _check_email_log(email_log: str | None) -> Iterator[Finding]:
    """Whether the Email Log opens to anybody."""
    if email_log is not None:
        status = ask("GET", email_log).status
        yield tell("doors.email-log.open" if 200 <= status < 300 else "doors.email-log", status=status)


def _check_reading(reader: Probe) -> Iterator[Finding]:
    """Open every link as scanners do, and look whether the page says something else afterwards."""
    first = ask("GET", reader.landing)
    yield from _check_scripts(first, reader.landing)
    before = find_offered(first.text)
    if not before:
        raise NoReply("its page shows no button")
    press = f"{reader.landing}?choice={'mute' if before.isdisjoint(UNDO) else 'undo'}"
    for url in (press, reader.one_click, f"{reader.one_click}?{SIGNAL[0].decode()}"):
        for method in ("GET", "HEAD", "OPTIONS"):
            ask(method, url)
    last = ask("GET", reader.landing)
    after = find_offered(last.text)
    if last.status != 200 or not after:
        raise NoReply(f"the page went ({last.status})")
    yield tell("doors.reading" if after == before else "doors.reading.changes")


def _is_muted(landing: str) -> bool:
    return not find_offered(ask("GET", landing).text).isdisjoint(UNDO)


def _check_pressing(probe: Probe) -> Iterator[Finding]:
    """One click as mail programs do it, and back again."""
    fresh = _undo(probe.landing)
    if not 400 <= ask("POST", probe.one_click, (b"", FORM), PROGRAM).status < 500:
        yield tell("doors.one-click.marker")
    answers = [(signal[1], ask("POST", probe.one_click, signal, PROGRAM)) for signal in SIGNALS]
    wrong = [(kind, answer) for kind, answer in answers if answer.status > 204 or answer.first("location")]
    for kind, answer in wrong:
        what = "redirect" if answer.first("location") else "status"
        yield tell("doors.one-click.refused", kind=kind.partition(";")[0], status=answer.status, what=what)
    if not wrong:
        yield tell("doors.one-click", status=answers[0][1].status)
    if any(answer.first("set-cookie") for _, answer in answers):
        yield tell("doors.cookie", what="answer")
    if len(wrong) < len(answers):
        end = "" if _is_muted(probe.landing) else ".stale"
        yield tell(f"doors.cache{end if fresh else '.unknown'}", reason="muted")
        if not _undo(probe.landing):
            yield tell("doors.button")


def _undo(landing: str) -> bool:
    """Make the probe a candidate who may be invited, so that a mute can be seen to take effect.

    Each form is sent to its own action, as a browser does.
    """
    page, label = ask("GET", landing).text, None
    for _ in range(3):
        # A page that took the press for a scanner's asks for it once more: by the same words, under another name.
        found = [pair for pair in find_buttons(page) if pair[1].value in UNDO or pair[1].label == label]
        if not found:
            break
        form, button = found[0]
        label = button.label
        time.sleep(PAUSE)
        answer = ask("POST", urljoin(landing, form.action), (form.body(button), FORM))
        page = answer.text if find_buttons(answer.text) else ask("GET", landing).text
    return not _is_muted(landing)
