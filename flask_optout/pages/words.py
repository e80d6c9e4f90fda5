"""The words of pages and mails: their language, sender and opportunity; and the URLs of our pages."""

from __future__ import annotations

import datetime
import functools
import inspect
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from flask import current_app, has_request_context, render_template, request
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException

from ..addresses import Recipient
from ..errors import ConfigurationError
from ..links.log_records import log, log_error
from ..links.tokens import normalize_tag
from .routing import Place, PlacedBlueprint

#: Our message catalogues; a host's own for the same domain add words and languages.
CATALOGUES = Path(__file__).parents[1] / "translations"
DOMAIN = "optout"
#: Most languages read of an Accept-Language header.
MOST_TAGS = 10
#: The key in a request's environ for the language of the link that opened it.
OF_LINK = "optout.language"
#: Defaults of template variables: a host's Jinja may be strict, or have globals of the same names.
NOT_GIVEN = dict.fromkeys(("action", "button", "error", "nonce", "opportunity", "part", "swapped", "toggle", "typed"))


class Language(NamedTuple):
    """A language, as the ``lang`` and ``dir`` attributes of an element name it."""

    tag: str
    direction: str


class Sender(NamedTuple):
    """Who invites: a name, and the URL and the host of their site."""

    name: str
    site: str
    host: str


@dataclass(frozen=True)
class Opportunity:
    """What pages and mails say about an opportunity.

    :param link: the URL of the host's own page about it.
    :param picture: the URL of a picture, on the host's own site.
    :param language: of title and summary, as a tag such as ``"de"`` or ``"pt-BR"``, for screen readers.
    """

    title: str
    summary: str = ""
    link: str = ""
    picture: str = ""
    language: str = ""


ENGLISH = Language("en", "ltr")


def is_translated(tag: str) -> bool:
    """Return whether there are translations into a language, ours or the host's: none without Flask-Babel."""
    if not tag or "babel" not in current_app.extensions:
        return False
    return (
        not {tag, tag.partition("-")[0]}.isdisjoint(_find_languages(_list_folders()))
        and _parse_locale(tag) is not None
    )


@contextmanager
def speaking(tags: Iterable[str]) -> Iterator[None]:
    """Switch to the first of these languages that has translations; without any, the app's language stays.

    If the app's locale selector fails, a page is in English, and a mail sent outside of a request is in the app's
    default language.
    """
    tag = next(filter(is_translated, tags), None)
    if tag is None and (error := find_selector_error()) is not None:
        tag = get_app_language() if not has_request_context() and is_translated(get_app_language()) else ENGLISH.tag
        if has_request_context():
            failed = "The locale selector failed; the page or mail is in English."
            log(current_app.logger, logging.ERROR, "locale_failed", failed, exc_info=error)
    if tag is None:
        yield
    else:
        from flask_babel import force_locale

        with force_locale(_parse_locale(tag)):
            yield


def find_selector_error() -> Exception | None:
    """Return the error of the app's locale selector, if any: it may read something that our URLs do not have."""
    if "babel" in current_app.extensions:
        from flask_babel import get_locale

        try:
            get_locale()
        except Exception as error:
            return error
    return None


def get_link_language() -> str:
    """Return the language of the link that opened this page, if it names one."""
    return str(request.environ.get(OF_LINK, ""))


def get_browser_languages() -> list[str]:
    """Return the languages that the browser asks for, in order of preference."""
    return [normalize_tag(tag) for tag, quality in request.accept_languages[:MOST_TAGS] if quality > 0]


def get_app_language() -> str:
    """Return the app's default language, for a mail that its reader did not ask for."""
    babel = current_app.extensions.get("babel")
    return "" if babel is None else normalize_tag(babel.default_locale)


def get_language() -> Language:
    if "babel" in current_app.extensions:
        from flask_babel import get_locale

        locale = get_locale()
        if is_translated(normalize_tag(locale)):
            return Language(str(locale).replace("_", "-"), locale.text_direction)
    return ENGLISH


def translate(message: str, **values: Any) -> str:
    """Return the message in the current language, with its placeholders filled, as safe HTML if a value is."""
    text = _make_domain(_list_folders()).gettext(message) if "babel" in current_app.extensions else message
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(text) % values
    return text % values if values else text


def translate_many(one: str, many: str, num: int) -> str:
    """Return the message in the plural form for this number; ``%(num)s`` stands for the number."""
    if "babel" in current_app.extensions:
        return str(_make_domain(_list_folders()).ngettext(one, many, num))
    return (one if num == 1 else many) % {"num": num}


def format_day(date: datetime.date) -> str:
    """Format a day for the current language."""
    if "babel" not in current_app.extensions:
        return date.isoformat()
    from babel.dates import format_date

    return format_date(date, "long", _parse_locale(get_language().tag))


def format_number(value: int) -> str:
    """Format a number for the current language."""
    if "babel" not in current_app.extensions:
        return f"{value:,}"
    from babel.numbers import format_decimal

    return format_decimal(value, locale=_parse_locale(get_language().tag))


def get_sender(sender: Recipient | None = None) -> Sender:
    """Return who invites: the sender of this mail, or else the one in the app's settings."""
    settings = current_app.config
    who = sender or settings.get("MAIL_DEFAULT_SENDER") or ""
    named, address = parseaddr(who) if isinstance(who, str) else who
    own = None if sender else settings["OPTOUT_SENDER_NAME"]
    host = urlsplit(settings["OPTOUT_BASE_URL"]).hostname or ""
    return Sender(str(own or named or address or host), settings["OPTOUT_BASE_URL"], host)


def describe_opportunity(load: Callable[[str], Any] | None, id: str) -> Opportunity:
    """Return what the loader says. Links outlive opportunities, so its errors never break a page or a mail."""
    try:
        return _make_opportunity(load(id) if load else None)
    except HTTPException:  # such as get_or_404 for one that is gone
        pass
    except ConfigurationError as error:
        log_error(current_app.logger, error)
    except Exception:
        failed = "The opportunity loader failed; the page goes without title and summary."
        log(current_app.logger, logging.ERROR, "loader_failed", failed, exc_info=True)
    return Opportunity("")


def _make_opportunity(found: Any) -> Opportunity:
    get: Callable[[str], Any]
    if inspect.iscoroutine(found):
        found.close()  # or Python warns that it was never awaited
    if isinstance(found, Mapping):
        wrong, get = None if "title" in found else "mapping without a title", found.get
    else:
        titled = found is None or (hasattr(found, "title") and not isinstance(found, str | bytes))
        wrong, get = None if titled else type(found).__name__, lambda name: getattr(found, name, None)
    names = ("title", "summary", "language", "link", "picture")
    if methods := [name for name in names if callable(get(name))]:
        wrong = wrong or f"{type(found).__name__} whose {methods[0]} is a method"
    if wrong:
        raise ConfigurationError(
            f"The opportunity loader returned a {wrong}.",
            "Without a title, pages and mails say neither what people are invited to nor what they opted out of.",
            "Let it be a plain function, not an async one, that returns an Opportunity, a mapping or an object with "
            "a title, beside 'summary', 'link', 'picture' and 'language', or None for one that is gone.",
        )
    # Half of an emoji, from a title cut in two, would break the page.
    title, summary, language, *urls = (str(get(name) or "").encode(errors="replace").decode() for name in names)
    link, picture = (url if urlsplit(url).scheme in ("http", "https", "") else "" for url in urls)
    return Opportunity(" ".join(title.split()), summary, link, picture, normalize_tag(language))


def render(template: str, **context: Any) -> str:
    """Render ``optout/<template>`` in the current language; a host's template of the same name wins."""
    with speaking(()):
        words = {"_": translate, "ngettext": translate_many, "day": format_day, "number": format_number}
        who = {"language": get_language(), "sender": get_sender()}
        return render_template(f"optout/{template}", **NOT_GIVEN | words | who | context)


def show(template: str, **context: Any) -> str:
    """Render a page in the language of the link, or else of the browser, or else of the app."""
    with speaking([get_link_language(), *get_browser_languages()]):
        return render(template, **context)


def optout_url(endpoint: str, **values: Any) -> str:
    """Return the URL of a page or file of ours, for use in a page: its path, below that of ``OPTOUT_BASE_URL``."""
    place: Place = current_app.extensions["optout"].place
    return qualify(
        place.files[values["filename"]] if endpoint == "optout.static" else place.adapter.build(endpoint, values)
    )


def qualify(path: str) -> str:
    """Return a path of ours for use in a page: absolute on a host's page that may be on another domain."""
    place: Place = current_app.extensions["optout"].place
    if place.host is None and place.subdomain is None:
        return path
    ours = isinstance(current_app.blueprints.get(request.blueprint or ""), PlacedBlueprint)
    return path if ours else place.origin + path


def add_query(url: str, fields: list[tuple[str, str]]) -> str:
    """Return a URL with these fields added to its query."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}" if fields else url


def _parse_locale(tag: str) -> Any:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return None


def _list_folders() -> tuple[str, ...]:
    """Return the folders of catalogues, ours first: later ones override earlier ones."""
    return str(CATALOGUES), *current_app.extensions["babel"].translation_directories


@functools.cache
def _find_languages(folders: tuple[str, ...]) -> frozenset[str]:
    """Return the tags of the languages that have catalogues."""
    catalogues = (path for folder in folders for path in Path(folder).glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return frozenset([ENGLISH.tag, *(normalize_tag(path.parts[-3]) for path in catalogues)])


@functools.cache
def _make_domain(folders: tuple[str, ...]) -> Any:
    from flask_babel import Domain

    return Domain([*folders], DOMAIN)
