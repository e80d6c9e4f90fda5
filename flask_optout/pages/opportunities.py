"""What the host says about an opportunity, and its own page for it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Response, current_app, make_response
from werkzeug.exceptions import HTTPException

from ..errors import ConfigurationError
from ..links.log_records import log, log_error
from ..links.tokens import tag_of


@dataclass(frozen=True)
class Opportunity:
    """What pages and mails say about an opportunity.

    :param link: leads to the host's own page about it.
    :param picture: the URL of a picture, on the host's own site.
    :param language: of title and summary, as a tag such as ``"de"`` or ``"pt-BR"``; a screen reader speaks it then.
    """

    title: str
    summary: str = ""
    link: str = ""
    picture: str = ""
    language: str = ""


def described(load: Callable[[str], Any] | None, id: str) -> Opportunity:
    """What a loader says; links outlive opportunities, so nothing that it says may break a page or a mail."""
    try:
        found = load(id) if load else None
        title, summary, language, *urls = (str(value or "") for value in _fields(found))
        link, picture = (url if urlsplit(url).scheme in ("http", "https", "") else "" for url in urls)
    except HTTPException:  # such as get_or_404 for one that is gone
        return Opportunity("")
    except ConfigurationError as error:
        log_error(current_app.logger, error)
        return Opportunity("")
    except Exception:
        failed = "The opportunity loader failed; the page goes without title and summary."
        log(current_app.logger, logging.ERROR, "loader_failed", failed, exc_info=True)
        return Opportunity("")
    return Opportunity(" ".join(title.split()), summary, link, picture, tag_of(language))


def hosts_page(view: Callable[[str], Any], id: str) -> Response | None:
    """The host's own page for an opportunity, if it has one; what stands or goes wrong there never breaks a link."""
    try:
        answer = current_app.ensure_sync(view)(id)
        response = None if answer is None else make_response(answer)
    except HTTPException:  # such as get_or_404 for an opportunity that is gone
        return None
    except Exception:
        failed = "The landing page failed; the candidate sees the page of Flask-OptOut."
        log(current_app.logger, logging.ERROR, "landing_page_failed", failed, exc_info=True)
        return None
    if response is None or response.status_code != 200:
        return None
    response.headers.pop("Content-Security-Policy", None)
    return response


def _fields(found: Any) -> list[Any]:
    if inspect.iscoroutine(found):
        found.close()  # or Python warns that it was never awaited
    is_mapping = isinstance(found, Mapping)
    if found is not None and not is_mapping and (isinstance(found, str | bytes) or not hasattr(found, "title")):
        raise ConfigurationError(
            f"The opportunity loader returned a {type(found).__name__}.",
            "The page and the mails go without the opportunity's title, summary and link.",
            "Let it be a plain function, not an async one, that returns an Opportunity, a mapping or an object with "
            "a title, or None for one that is gone.",
        )
    if is_mapping and "title" not in found:
        raise ConfigurationError(
            "The opportunity loader returned a mapping without a title.",
            "Pages and mails go without it, and say neither what people are invited to nor what they opted out of.",
            "Name it 'title', beside 'summary', 'link', 'picture' and 'language'; return None for one that is gone.",
        )
    names = ("title", "summary", "language", "link", "picture")
    return [found.get(name) if is_mapping else getattr(found, name, None) for name in names]
