"""The language of a page or a mail, and its translations: by Flask-Babel where the host has it, else English."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.utils import parseaddr
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import current_app, render_template, request
from markupsafe import Markup, escape

from ..addresses import Recipient
from ..links.tokens import tag_of

#: Our message catalogues; a host's of the same domain add words and languages to them.
CATALOGUES = Path(__file__).parents[1] / "translations"
DOMAIN = "optout"
#: How many languages of an Accept-Language header are looked at.
MOST_TAGS = 10
#: Where a request keeps the language of the link that opened it.
OF_LINK = "optout.language"


class Language(NamedTuple):
    """What the ``lang`` and ``dir`` attributes say."""

    tag: str
    direction: str


class Sender(NamedTuple):
    """Who invites: a name, and the URL and the host of their site."""

    name: str
    site: str
    host: str


ENGLISH = Language("en", "ltr")


def spoken(tag: str) -> bool:
    """Whether there are translations into this language, ours or the host's."""
    language = tag.partition("-")[0]
    if not language or "babel" not in current_app.extensions:
        return False
    return not {tag, language}.isdisjoint(_translated(_folders())) and _locale(tag) is not None


@contextmanager
def speaking(tags: Iterable[str]) -> Iterator[None]:
    """Make the first of these languages that has translations the current one; without any, change nothing."""
    tag = next(filter(spoken, tags), None)
    if tag is None:
        yield
    else:
        from flask_babel import force_locale

        with force_locale(_locale(tag)):
            yield


def of_link() -> str:
    """The language of the link that opened this page, if it says one."""
    return str(request.environ.get(OF_LINK, ""))


def of_browser() -> list[str]:
    """The languages that the browser asks for, in its order of preference."""
    return [tag_of(tag) for tag, quality in request.accept_languages[:MOST_TAGS] if quality > 0]


def of_app() -> str:
    """The app's own language, for a mail that is not sent at its reader's request."""
    babel = current_app.extensions.get("babel")
    return "" if babel is None else tag_of(babel.default_locale)


def current_language() -> Language:
    """The current language."""
    if "babel" in current_app.extensions:
        from flask_babel import get_locale

        locale = get_locale()
        if spoken(tag_of(locale)):
            return Language(str(locale).replace("_", "-"), locale.text_direction)
    return ENGLISH


def translate(message: str, **values: Any) -> str:
    """The message in the current language, with its placeholders filled; it is safe HTML where one of them is."""
    text = _domain(_folders()).gettext(message) if "babel" in current_app.extensions else message
    if any(isinstance(value, Markup) for value in values.values()):
        return escape(text) % values
    return text % values if values else text


def translate_many(one: str, many: str, num: int) -> str:
    """The message in the form that this number asks for; ``%(num)s`` stands for the number."""
    if "babel" in current_app.extensions:
        return str(_domain(_folders()).ngettext(one, many, num))
    return (one if num == 1 else many) % {"num": num}


def day(date: datetime.date) -> str:
    """A day as the current language writes it."""
    if "babel" not in current_app.extensions:
        return date.isoformat()
    from babel.dates import format_date

    return format_date(date, "long", _locale(tag_of(current_language().tag)))


def number(value: int) -> str:
    """A number as the current language writes it."""
    if "babel" not in current_app.extensions:
        return f"{value:,}"
    from babel.numbers import format_decimal

    return format_decimal(value, locale=_locale(tag_of(current_language().tag)))


def sender_of(sender: Recipient | None = None) -> Sender:
    """Who invites.

    :param sender: the sender of a mail, whose name it is; without it, that of the app's settings.
    """
    settings = current_app.config
    who = sender or settings.get("MAIL_DEFAULT_SENDER") or ""
    named, address = parseaddr(who) if isinstance(who, str) else who
    own = None if sender else settings["OPTOUT_SENDER_NAME"]
    host = urlsplit(settings["OPTOUT_BASE_URL"]).hostname or ""
    return Sender(str(own or named or address or host), settings["OPTOUT_BASE_URL"], host)


def render(template: str, **context: Any) -> str:
    """Render ``optout/<template>`` in the current language; a host's template of the same name wins."""
    words = {
        "_": translate,
        "ngettext": translate_many,
        "day": day,
        "number": number,
        "language": current_language(),
        "sender": sender_of(),
    }
    return render_template(f"optout/{template}", **words | context)


def _locale(tag: str) -> Any:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return None


def _folders() -> tuple[str, ...]:
    """Where catalogues are, ours first: the words of later ones win."""
    return str(CATALOGUES), *current_app.extensions["babel"].translation_directories


@functools.cache
def _translated(folders: tuple[str, ...]) -> frozenset[str]:
    """The tags of the languages that there are catalogues of."""
    catalogues = (path for folder in folders for path in Path(folder).glob(f"*/LC_MESSAGES/{DOMAIN}.mo"))
    return frozenset([ENGLISH.tag, *(tag_of(path.parts[-3]) for path in catalogues)])


@functools.cache
def _domain(folders: tuple[str, ...]) -> Any:
    from flask_babel import Domain

    return Domain([*folders], DOMAIN)
