"""The settings: name, default, valid values and meaning of each."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import Flask

from .addresses import parse
from .choices.key_slots import AppKey, make_app_keys
from .errors import AddressError, ConfigurationError
from .links.log_records import log
from .links.mailto import FIELD, LONGEST_LOCAL_PART, TOKEN_LENGTH

PREFIX = "OPTOUT_"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
#: Leaves a link with the longest token below the 998 octets of a line (RFC 5322 section 2.1.1).
LONGEST_BASE_URL = 400
#: Bytes; a shorter key can be guessed.
LEAST_KEY = 16
#: Matches the placeholders for a key in tutorials and templates, but no hexadecimal number.
PLACEHOLDER = re.compile(
    r"(?=.*[g-z])(?:a|an|any|app|change|default|dev|development|example|flask|guess|here|hard|insert|is|it|key|me|my"
    r"|never|not|now|password|please|random|replace|secret|string|super|test|testing|that|the|this|to|value|very|will"
    r"|with|you|your|[0-9_\W])*",
    re.IGNORECASE | re.ASCII,
)
#: Days; a hundred years.
LONGEST_RETENTION = 36_500
#: A link or code in Markdown, as in the README's table.
MARKUP = re.compile(r"\[([^]]+)\]\([^)]+\)|`([^`]+)`")


class Setting(NamedTuple):
    """One setting; ``meaning`` is its text in the README's table, ``expected`` completes the error "... is not"."""

    name: str
    default: Any
    meaning: str
    fits: Callable[[Any], bool]
    expected: str
    example: Any


class Keys(NamedTuple):
    """The app's keys, newest first; the first ``writes`` wrap a new data key. ``setting`` says where they are set."""

    keys: tuple[AppKey, ...]
    writes: int
    setting: str


def _is_base_url(value: Any) -> bool:
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except (AttributeError, TypeError, ValueError):
        return False
    return bool(
        host
        and parts.scheme in ("http", "https")
        and len(value) <= LONGEST_BASE_URL
        and re.fullmatch(r"[!-~]+", value)
        and not re.search(r"[\"'<>\\^`{|}]", value)
        and not (parts.username or parts.password or parts.query or parts.fragment or value.endswith(("#", "?")))
        # Mail programs show their own opt-out button only for https (RFC 8058), and a link is a credential.
        and (parts.scheme == "https" or host in LOOPBACK)
    )


def _is_text(pattern: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _is_mailto(value: Any) -> bool:
    if not isinstance(value, str) or not value.isascii() or value.partition("@")[0].count(FIELD) != 1:
        return False
    filled = value.replace(FIELD, TOKEN_LENGTH * "a")
    try:
        # Lower case only, as some mail programs change addresses to lower case.
        return parse(filled).deliverable == filled.lower() == filled and filled.find("@") <= LONGEST_LOCAL_PART
    except AddressError:
        return False


def _is_path(value: Any) -> bool:
    try:
        return bool(Path(value).name) and "\0" not in str(value)
    except TypeError:
        return False


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_zone(value: Any) -> bool:
    try:
        return bool(ZoneInfo(value))
    except (OSError, ValueError, TypeError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False


def _is_days(value: Any) -> bool:
    return type(value) is int and 1 <= value <= LONGEST_RETENTION


def _is_one_of(*types: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, types)


# fmt: off
SETTINGS = (
    Setting("OPTOUT_BASE_URL", None,
            "Where candidates reach this app; https, except on this machine. It must be set.",
            _is_base_url, "an absolute https URL of host and, if need be, port and path (http only on this machine)",
            "https://jobs.example.org"),
    Setting("OPTOUT_JOURNAL", None,
            "A file outside the database where choices are written a second time; see [Backups](docs/operations.md).",
            _is_path, "the path of a file", "/var/lib/app/optout.journal"),
    Setting("OPTOUT_KEYS", None,
            "A list of keys, newest first, that open the store. Unset, `SECRET_KEY` and its fallbacks do.",
            _is_one_of(str, bytes, list, tuple), "a list of keys",
            ["the output of python -c 'import secrets; print(secrets.token_hex())'"]),
    Setting("OPTOUT_MAILTO", None,
            "The addresses that take opt-outs by mail; see [Opt-outs by mail](docs/mailto.md).",
            _is_mailto, "an address with {token} before the @, where at most 9 characters stand beside it",
            "optout+{token}@in.example.org"),
    Setting("OPTOUT_FIND_LINK", False,
            "Whether candidates find their links again at the prefix; see [Lost links](docs/find-link.md).",
            _is_one_of(bool), "True or False", True),
    Setting("OPTOUT_SENDER_NAME", None,
            "Who invites, as pages and mails say it. Unset, it is the name in `MAIL_DEFAULT_SENDER`.",
            _is_name, "a name on one line", "Example Jobs"),
    Setting("OPTOUT_URL_PREFIX", "/optout",
            "The path of the candidate's pages in this app.",
            # Lower case only, as some mail programs change links to lower case.
            _is_text(r"(?:/[a-z0-9._~-]+)+"),
            "a path in lower case that begins with a slash and does not end with one", "/optout"),
    Setting("OPTOUT_LOG_DAYS", 90,
            "How long the Email Log keeps an invitation.",
            _is_days, "a whole number of days, 1 or more", 90),
    Setting("OPTOUT_TIMEZONE", "UTC",
            'The zone of the Email Log\'s dates and times, such as `"Europe/Berlin"`.',
            _is_zone, "the name of a time zone that this machine knows (the package tzdata brings them)",
            "Europe/Berlin"),
    Setting("OPTOUT_OPERATOR_HOME", None,
            "Where the Email Log's pages link back to: your own pages for operators.",
            _is_text(r"(?:/(?!/)|https?://)[!-~]*"), "a path of this app, or an http or https URL", "/admin/"),
    Setting("OPTOUT_BOUNCE_DOMAIN", None,
            "For the doctor: the domain that bounces go to, where it is not the one in From.",
            _is_one_of(str), "a domain", "bounces.example.org"),
    Setting("OPTOUT_DKIM_SELECTORS", (),
            "For the doctor: the selectors of your DKIM keys.",
            _is_one_of(str, list, tuple), "a list of selectors", ["mail"]),
    Setting("OPTOUT_SENDING_HOST", None,
            "For the doctor: the host that delivers your mail, where it is not `MAIL_SERVER`.",
            _is_one_of(str), "the name or the address of a host", "out.example.org"),
)
# fmt: on


def apply(app: Flask) -> Keys:
    """Set defaults in the app's config, check its settings and return its keys.

    :raises ConfigurationError: when a setting is unknown, missing or cannot work, or when a key can be guessed.
    """
    _refuse_unknown(app.config)
    for setting in SETTINGS:
        value = app.config.setdefault(setting.name, setting.default)
        if not setting.fits(value) and (value != setting.default or setting.name == "OPTOUT_BASE_URL"):
            raise _unfit(setting, value)
    return _read_keys(app)


def _unfit(setting: Setting, value: Any) -> ConfigurationError:
    kind = "" if isinstance(value, type(setting.example)) else f", but of the type {type(value).__name__}"
    what = f"{setting.name} is not {setting.expected}{kind}."
    if setting.name == "OPTOUT_BASE_URL":
        return ConfigurationError(
            "OPTOUT_BASE_URL is not set." if value is None else what,
            "Links in mails need a fixed address; the Host header of a request can be forged.",
            "Set OPTOUT_BASE_URL to where candidates reach this app, such as 'https://jobs.example.org', or "
            "'http://127.0.0.1:5000' for development.",
        )
    meaning = MARKUP.sub(lambda found: found[1] or found[2], setting.meaning)
    return ConfigurationError(what, meaning, f"Set it to {setting.example!r}, for example, or leave it out.")


def _read_keys(app: Flask) -> Keys:
    own = _as_list(app.config["OPTOUT_KEYS"])
    shared = [app.config.get("SECRET_KEY"), *_as_list(app.config.get("SECRET_KEY_FALLBACKS"))]
    setting = "OPTOUT_KEYS" if own else "SECRET_KEY"
    newest = make_app_keys(own or shared)
    for key in newest:
        _refuse_weak(app, key, setting)
    # SECRET_KEY may have wrapped the data key before OPTOUT_KEYS was set.
    keys = make_app_keys([*own, *filter(None, shared)]) if own else newest
    return Keys(keys, len(newest), setting)


def _as_list(keys: Any) -> list[Any]:
    """Return the keys of a setting as a list; a single key need not be in one."""
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        return [] if keys is None else [keys]
    return [*keys]


def _refuse_weak(app: Flask, key: AppKey, setting: str) -> None:
    if len(key.secret) < LEAST_KEY:
        weakness = f"is shorter than {LEAST_KEY} bytes"
    elif key.secret.isascii() and PLACEHOLDER.fullmatch(key.secret.decode()):
        weakness = "is a placeholder that everybody knows"
    else:
        return
    weak = ConfigurationError(
        f"The key {key.id} of {setting} {weakness}.",
        "Whoever guesses it can read a stolen database and forge links.",
        f"Replace it in {setting}; python -c 'import secrets; print(secrets.token_hex())' makes a good one.",
    )
    # Links to this machine open nowhere else, so a forged one does no harm.
    if not (app.debug or app.testing or urlsplit(app.config["OPTOUT_BASE_URL"]).hostname in LOOPBACK):
        raise weak
    log(app.logger, logging.WARNING, "weak_key", weak)


def _refuse_unknown(config: Mapping[str, Any]) -> None:
    known = {setting.name.removeprefix(PREFIX): setting.name for setting in SETTINGS}
    unknown = sorted(name for name in config if name.startswith(PREFIX) and name not in known.values())
    if unknown:
        # Compared without the prefix, which would make any two names similar.
        near = get_close_matches(unknown[0].removeprefix(PREFIX), known, 1)
        raise ConfigurationError(
            f"There is no setting {unknown[0]}.",
            "A setting whose name is mistyped would be left at its default, and nobody would notice.",
            f"Did you mean {known[near[0]]}?" if near else f"The settings are: {', '.join(known.values())}.",
        )
