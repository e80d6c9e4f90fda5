"""The operator's pages: the list of the Email Log with its filters, and one invitation, which can be sent again.

They show and do the same for every candidate. When an invitation is sent again, a muted one gets only their link.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from dataclasses import replace
from email import policy
from email.message import EmailMessage
from typing import Any

from flask import Response, abort, current_app, g, make_response, redirect, request
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Response as BaseResponse

from ..addresses import has_control, parse
from ..invitations.compose import Draft, Letter
from ..invitations.gate import LONGEST_LINE
from ..links.log_records import log
from ..links.tokens import Door, normalize_tag
from ..mailers.own_mails import compose_link_letter, serialise
from ..pages.words import get_app_language, optout_url, render, speaking
from ..wiring import current_state
from .operators import Guard, blueprint, get_times, get_title, register, render_page
from .records import LARGEST_ID, Email, classify_error, describe_error, fill, running_minute
from .resending import APART, find_refusal
from .search import COUNTED, PAGE, WINDOW, Criteria, Filter
from .tables import NAME_SIZE

#: The names that an app needs.
__all__ = ["Guard", "register"]
#: Most opportunities that the filter offers, and whose titles a search covers.
OPPORTUNITIES = 50
#: Most addresses that are suggested as beginning with the typed word.
NEAR = 5
#: Headers about the encoding of the parts, which are encoded anew.
OF_THE_PARTS = ("mime-version", "content-type", "content-transfer-encoding")
#: The body tag, after which the preface goes; one in a comment does not count, such as one for Outlook.
BODY = re.compile(r"""<!--.*?(?:-->|\Z)|(<body\b(?:"[^"]*"|'[^']*'|[^"'>])*>)""", re.IGNORECASE | re.DOTALL)
#: No script, form or link, as a message may quote anybody; loading a remote picture would count as opening it.
PREVIEW_CSP = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"


@blueprint.get("/", strict_slashes=False)  # a redirect would reveal the page to outsiders
def entries() -> str | Response:
    """List the invitations that match the filter in the URL, newest first."""
    wanted, after = _read_filter(), request.args.get("after", type=int)
    if "HX-Request" not in request.headers:
        return _render_list(wanted)
    if after is not None:
        return _render_arrived(wanted, after)
    response = make_response(_render_list(wanted, "_entries.html", swapped=True))
    response.headers["HX-Push-Url"] = _build_list_url(wanted)
    return response


def _read_filter() -> Filter:
    ids = current_state().search.find_starting("opportunity", "", OPPORTUNITIES)
    return Filter(request.args, get_times(), {id: get_title(id) for id in ids})


def _render_list(wanted: Filter, template: str = "entries.html", **more: Any) -> str:
    saved = current_state().saved_filters.all()
    return render_page(template, saved=saved, done=request.args.get("done"), **_search(wanted), **more)


def _build_list_url(wanted: Filter, **more: str) -> str:
    return optout_url("optout_operator.entries", **wanted.query, **more)


def _search(wanted: Filter) -> dict[str, Any]:
    """Search, and build the list's context: entries, their number, and addresses that begin with the typed word."""
    before, search = request.args.get("before", type=int), current_state().search
    found, total, near, criteria = None, None, [], wanted.criteria
    if not wanted.errors:
        found = search.find(criteria, before)
        if not found.entries and criteria != wanted.in_parts:
            criteria = wanted.in_parts
            found = search.find(criteria, before)
        if before is None:
            total = len(found.entries) if len(found.entries) < PAGE else search.count(criteria)
            near = _find_near(criteria) if found.searched_to else []
        elif not (criteria.words or criteria.failed or criteria.domain):  # which are counted within a window only
            total = search.count(criteria)
    return {
        "filter": wanted,
        "found": found,
        "before": before,
        "total": total,
        "counted": COUNTED,
        "window": WINDOW,
        "near": near,
        "titles": list(wanted.titles.values()),
        "minute": running_minute(),
    }


def _find_near(criteria: Criteria) -> list[str]:
    """Return addresses, or domains, in the whole Email Log that begin with the typed word, if only one was typed."""
    if len(criteria.words) != 1:
        return []
    [word], search = criteria.words, current_state().search
    if word.text.startswith("@"):
        return [f"@{domain}" for domain in search.find_starting("domain", word.text[1:], NEAR)]
    return search.find_starting("mailbox", word.text, NEAR)


def _render_arrived(wanted: Filter, after: int) -> str | Response:
    """Render the entries that have arrived since the minute ``after``."""
    search = current_state().search
    if not wanted.errors and after < running_minute():
        for criteria in dict.fromkeys((wanted.criteria, wanted.in_parts)):
            arrived = search.find(replace(criteria, since=max(after, criteria.since)))
            if arrived.entries:
                return render_page("_arrived.html", arrived=arrived, **_search(wanted))
            if criteria != wanted.in_parts and search.find(criteria).entries:
                break  # the list shows only these
    return Response(status=204)


@blueprint.post("/", strict_slashes=False)
def change_filters() -> BaseResponse | tuple[str, int]:
    """Save the filter in the URL, or rename or delete a saved one, as the button says."""
    wanted, saved, form = _read_filter(), current_state().saved_filters, request.form
    what, name, old = form.get("do", ""), form.get("name", "").strip(), form.get("saved", "")
    if what == "delete":
        saved.delete(old)
        return redirect(_build_list_url(wanted, done=what), 303)
    if wanted.errors or not 0 < len(name) <= NAME_SIZE or not name.isprintable():
        return _render_list(wanted, error="name"), 400
    if not (saved.rename(old, name) if what == "rename" else saved.save(name, wanted.query_string)):
        return _render_list(wanted, error="taken"), 409
    return redirect(_build_list_url(wanted, done=what), 303)


@blueprint.get("/<int:id>")
def entry(id: int) -> str:
    """Show one invitation: its text, its html in a frame that runs no scripts, or its headers."""
    return _render_entry(_get_or_404(id), done=request.args.get("done", type=int))


def _render_entry(email: Email, done: int | None = None, failure: str | None = None) -> str:
    """Render an invitation; ``done`` is the number of the resend just made, ``failure`` why it could not be sent."""
    parts = [part for part in ("text", "html", "headers") if getattr(email, part)]
    part, state = request.args.get("part", ""), current_state()
    resends = state.resends.find(email)
    accepted = [resend for resend in resends if resend.failure is None]
    return render_page(
        "entry.html",
        email=email,
        parts=parts,
        part=part if part in parts else parts[0],
        resends=resends,
        done=any(resend.number == done for resend in accepted),
        failure=failure,
        refused=find_refusal(resends),
        again=accepted[-1].time + APART if accepted else None,
        ask_url=state.links.url(Door.ASK, parse(email.recipient), email.opportunity),
    )


def _get_or_404(id: int) -> Email:
    email = current_state().email_log.get(id) if id <= LARGEST_ID else None
    if email is None:
        abort(404)
    return email


@blueprint.get("/<int:id>/html")
def preview(id: int) -> Response:
    """Serve the html part, for the frame."""
    response = make_response(_get_or_404(id).html or "")
    made = response.get_wsgi_headers

    def headers(environ: Any) -> Headers:
        """Set our policy last, as an app may set one of its own (as Flask-Talisman does)."""
        own = made(environ)
        own["Content-Security-Policy"] = PREVIEW_CSP
        return own

    response.get_wsgi_headers = headers  # type: ignore[method-assign]
    return response


@blueprint.get("/<int:id>.eml")
def download(id: int) -> Response:
    """Serve the invitation as a mail file, without personal links."""
    email = _get_or_404(id)
    head: dict[str, bytes] = {}
    for line in email.headers.split("\n"):
        name, _, value = line.partition(": ")
        if name.lower() not in OF_THE_PARTS:
            head.setdefault(name.lower(), _encode_header(name, value))
    message = EmailMessage(policy.SMTP)
    if email.text is not None:
        message.set_content(email.text)
    if email.html is not None and email.text is not None:
        message.add_alternative(email.html, subtype="html")
    elif email.html is not None:
        message.set_content(email.html, subtype="html")
    response = Response(b"".join([*head.values(), message.as_bytes()]), mimetype="message/rfc822")
    response.headers["Content-Disposition"] = f'attachment; filename="invitation-{id}.eml"'
    return response


def _encode_header(name: str, value: str) -> bytes:
    """Return an encoded header line; in UTF-8 (RFC 6532) where Python's library cannot encode it."""
    value = " ".join(value.splitlines())  # also removes line separators that SMTP does not know
    line = f"{name}: {value}\r\n".encode()
    if (not value.isascii() or len(line) > LONGEST_LINE) and not has_control(value):
        with suppress(Exception):
            header: Any = policy.SMTP.header_factory(name, value)
            line = header.fold(policy=policy.SMTP).encode("ascii")
    return line


@blueprint.post("/<int:id>/send-again")
def send_again(id: int) -> BaseResponse | str | tuple[str, int]:
    """Send the invitation again, to the address that it went to."""
    email, state = _get_or_404(id), current_state()
    again, neutral = _compose_letters(email)
    begun = state.resends.begin(email, g.optout_operator)
    if begun is None:
        return _render_entry(email), 409
    try:
        ready = serialise(again), serialise(neutral)  # both, whichever will be sent
        for each in ready:
            each.rehearse()  # as the mail server may refuse one of them for its size
        ready[state.choices.is_muted(parse(email.recipient), email.opportunity)].hand_off()
    except BaseException as error:
        state.resends.record_failure(email, begun, error)
        if not isinstance(error, Exception):  # such as SystemExit, when gunicorn stops a slow worker
            raise
        log(
            current_app.logger,
            logging.ERROR,
            "resend_failed",
            f"An invitation could not be sent again ({describe_error(error)}).",
        )
        return _render_entry(email, failure=classify_error(error)), 502
    if "HX-Request" in request.headers:
        return _render_entry(email, done=begun)
    return redirect(f"{optout_url('optout_operator.entry', id=id, done=begun)}#sent-again", 303)


def _compose_letters(email: Email) -> tuple[Letter, Letter]:
    """Compose the invitation with fresh links and a preface, and the neutral letter for a muted candidate.

    Both are in the candidate's language, not in the operator's.
    """
    state = current_state()
    address, language = parse((email.name, email.recipient)), normalize_tag(email.header("Content-Language"))
    url = state.links.url(Door.LANDING, address, email.opportunity, language)
    sender, reply_to = email.header("From") or "", email.header("Reply-To")
    with speaking([language, get_app_language()]):
        draft = Draft(
            recipients=[address.named],
            opportunity=email.opportunity,
            subject=email.subject,
            text=email.text_pieces and f"{render('mail/preface.txt')}\n\n{fill(email.text_pieces, url)}",
            html=email.html_pieces and _add_preface(fill(email.html_pieces, url)),
            sender=sender,
            reply_to=reply_to,
            language=language,
        )
        again = state.composer.compose(draft)
        about = state.load_opportunity(email.opportunity)
        return again, compose_link_letter(address, email.opportunity, (about, url), sender=sender, reply_to=reply_to)


def _add_preface(html: str) -> str:
    start = next((tag.end() for tag in BODY.finditer(html) if tag[1]), 0)
    return html[:start] + render("mail/preface.html") + html[start:]
