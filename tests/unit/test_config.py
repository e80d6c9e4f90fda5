"""Every setting: what cannot work is one clear error at init_app, which names it and says how to mend it."""

from __future__ import annotations

import logging
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from flask_optout import ConfigurationError
from flask_optout.choices.key_slots import AppKey
from flask_optout.config import LEAST_KEY, SETTINGS, Setting, apply
from tests.support.hosts import BASE_URL, KEY

ROOT = Path(__file__).parents[2]
GOOD = "b7f3c0e19a5d4482b7f3c0e19a5d4482"


def app(**config: Any) -> Flask:
    app = Flask("host")
    settings = {"SECRET_KEY": KEY, "OPTOUT_BASE_URL": BASE_URL, **config}
    app.config.update({name: value for name, value in settings.items() if value is not None})
    return app


def test_defaults_are_set_and_work() -> None:
    host = app()
    apply(host)
    for setting in SETTINGS:
        assert host.config[setting.name] == (BASE_URL if setting.name == "OPTOUT_BASE_URL" else setting.default)


BAD: dict[str, list[Any]] = {
    "OPTOUT_BASE_URL": [
        "jobs.example.org",
        "/app",
        "//jobs.example.org",
        "javascript:alert(1)",
        "http://jobs.example.org",
        "https://",
        "https://x:y/",
        "https://[::1",
        f"https://u:{GOOD}@x.org",
        "https://u@x.org",
        "https://x.org?a",
        "https://x.org/?a=b",
        "https://x.org/#a",
        "https://x.org/#",
        "ftp://x.org",
        "https://x.org/a b",
        "https://x.org/>",
        "https://x.org/\r\nBcc:",
        "https://jöbs.example.org",
        f"https://x.org/{'a' * 400}",
        5,
        b"https://x.org",
        "",
    ],
    "OPTOUT_MAILTO": [
        "optout@in.example.org",
        "optout+{token}",
        "optout+{token}{token}@in.example.org",
        "optout@{token}.example.org",
        "optout-out-{token}@in.example.org",
        "Optout+{token}@in.example.org",
        "opt out+{token}@in.example.org",
        "é{token}@in.example.org",
        "{token}@",
        True,
        5,
    ],
    "OPTOUT_FIND_LINK": ["yes", None, 2],
    "OPTOUT_SENDER_NAME": ["", " ", "A\nB", 5, ("A", "a@x.org")],
    "OPTOUT_URL_PREFIX": ["", "/", "optout", "/optout/", "/Opt", "//x", "/a/<b>", "/é", "/a b", None, 5],
    "OPTOUT_KEYS": [5, {"a"}, {"a": "b"}, object(), [""], "", [GOOD, None], [5], [GOOD, ""]],
    "OPTOUT_LOG_DAYS": [0, -1, 1.5, "90", True, 10**6, None],
    "OPTOUT_TIMEZONE": ["Nowhere/Land", 5, "", None],
    "OPTOUT_JOURNAL": [5, True, b"x", "", "/", ".", "a\0b"],
    "OPTOUT_OPERATOR_HOME": ["", 5, "admin", "//evil.example", "javascript:x", "/a b"],
    "OPTOUT_BOUNCE_DOMAIN": [5, ["x.org"]],
    "OPTOUT_SENDING_HOST": [5],
    "OPTOUT_DKIM_SELECTORS": [5, {"a": 1}],
}
ROWS = [(name, value) for name, values in BAD.items() for value in values]


@pytest.mark.parametrize(("name", "value"), ROWS, ids=lambda given: ascii(given)[:30])
def test_a_setting_that_cannot_work_is_named_at_init_app(name: str, value: Any) -> None:
    host = app()
    host.config[name] = value
    with pytest.raises(ConfigurationError, match=name) as refused:
        apply(host)
    assert GOOD not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "what", "mend"),
    [
        ("OPTOUT_LOG_DAYS", "30", "1 or more, but of the type str.", "Set it to 90, for example, or leave it out."),
        ("OPTOUT_LOG_DAYS", 0, "1 or more.", "Set it to 90, for example"),
        ("OPTOUT_FIND_LINK", "yes", "not True or False, but of the type str.", "Set it to True, for example"),
        ("OPTOUT_DKIM_SELECTORS", 5, "a list of selectors, but of the type int.", "Set it to ['mail'], for"),
        ("OPTOUT_BASE_URL", "jobs.example.org", "is not an absolute https URL", "such as 'https://jobs.example.org'"),
    ],
)
def test_what_is_wrong_with_a_setting_is_told_apart_from_its_example(
    name: str, value: Any, what: str, mend: str
) -> None:
    host = app()
    host.config[name] = value
    with pytest.raises(ConfigurationError) as refused:
        apply(host)
    said = str(refused.value)
    assert what in said and mend in said and ("leave it out" in said) is (name != "OPTOUT_BASE_URL")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_an_error_is_plain_text_and_an_example_fits(setting: Setting) -> None:
    host = app()
    host.config[setting.name] = BAD[setting.name][0]
    with pytest.raises(ConfigurationError) as refused:
        apply(host)
    assert not re.search(r"`|\]\(", str(refused.value)) and setting.fits(setting.example)


def test_every_setting_has_bad_values_above() -> None:
    assert set(BAD) == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPTOUT_BASE_URL", "https://jobs.example.org"),
        ("OPTOUT_BASE_URL", "https://jobs.example.org:8443/app/"),
        ("OPTOUT_BASE_URL", "http://localhost:5000"),
        ("OPTOUT_BASE_URL", "http://127.0.0.1"),
        ("OPTOUT_BASE_URL", "http://[::1]:5000"),
        ("OPTOUT_LOG_DAYS", 1),
        ("OPTOUT_LOG_DAYS", 36_500),
    ],
)
def test_a_setting_that_can_work_is_taken(name: str, value: object) -> None:
    host = app(**{name: value})
    apply(host)
    assert host.config[name] == value


def test_a_key_that_is_a_word_is_to_be_replaced() -> None:
    with pytest.raises(ConfigurationError, match="of SECRET_KEY is shorter than 16 bytes") as refused:
        apply(app(SECRET_KEY="dev"))
    assert refused.value.mend.startswith("Replace it in SECRET_KEY;")


def test_a_missing_base_url_is_named() -> None:
    with pytest.raises(ConfigurationError, match="OPTOUT_BASE_URL is not set"):
        apply(app(OPTOUT_BASE_URL=None))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("OPTOUT_URL_PREFX", "Did you mean OPTOUT_URL_PREFIX?"),
        ("OPTOUT_KEY", "Did you mean OPTOUT_KEYS?"),
        ("OPTOUT_BASEURL", "Did you mean OPTOUT_BASE_URL?"),
        ("OPTOUT_LOG_DAY", "Did you mean OPTOUT_LOG_DAYS?"),
        ("OPTOUT_XYZZY_PLUGH", "The settings are: OPTOUT_BASE_URL, "),
    ],
)
def test_a_setting_that_does_not_exist_is_named_with_what_may_be_meant(wrong: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"no setting {wrong}.*{re.escape(said)}"):
        apply(app(**{wrong: "x"}))


KEYS: dict[str, tuple[dict[str, Any], list[str], int, str]] = {
    "SECRET_KEY": ({"SECRET_KEY": "a" + GOOD}, ["a"], 1, "SECRET_KEY"),
    "fallbacks": (
        {"SECRET_KEY": "a" + GOOD, "SECRET_KEY_FALLBACKS": ["b" + GOOD, "c" + GOOD]},
        ["a", "b", "c"],
        3,
        "SECRET_KEY",
    ),
    "OPTOUT_KEYS before SECRET_KEY": (
        {"OPTOUT_KEYS": ["a" + GOOD], "SECRET_KEY": "b" + GOOD, "SECRET_KEY_FALLBACKS": ["c" + GOOD]},
        ["a", "b", "c"],
        1,
        "OPTOUT_KEYS",
    ),
    "OPTOUT_KEYS alone": (
        {"OPTOUT_KEYS": ["a" + GOOD, "b" + GOOD], "SECRET_KEY": None},
        ["a", "b"],
        2,
        "OPTOUT_KEYS",
    ),
    "one as text": ({"OPTOUT_KEYS": "a" + GOOD, "SECRET_KEY": None}, ["a"], 1, "OPTOUT_KEYS"),
    "one as bytes": ({"OPTOUT_KEYS": b"a" + GOOD.encode(), "SECRET_KEY": None}, ["a"], 1, "OPTOUT_KEYS"),
    "the same key twice": (
        {"OPTOUT_KEYS": ["a" + GOOD, "a" + GOOD], "SECRET_KEY": "a" + GOOD},
        ["a"],
        1,
        "OPTOUT_KEYS",
    ),
    "one fallback as text": (
        {"SECRET_KEY": "a" + GOOD, "SECRET_KEY_FALLBACKS": "b" + GOOD},
        ["a", "b"],
        2,
        "SECRET_KEY",
    ),
    "an empty list": ({"OPTOUT_KEYS": [], "SECRET_KEY": "a" + GOOD}, ["a"], 1, "SECRET_KEY"),
}


@pytest.mark.parametrize("row", KEYS)
def test_which_keys_open_the_store_and_which_wrap_a_new_data_key(row: str) -> None:
    config, expected, writes, setting = KEYS[row]
    keys = apply(app(**config))
    assert [key.secret.decode()[0] for key in keys.keys] == expected
    assert (keys.writes, keys.setting) == (writes, setting)


@pytest.mark.parametrize(
    "config",
    [
        *({}, {"SECRET_KEY": ""}, {"SECRET_KEY": 5}, {"SECRET_KEY": bytearray(32)}),
        *({"SECRET_KEY": GOOD, "SECRET_KEY_FALLBACKS": wrong} for wrong in ([""], "", 5, [[GOOD]], object)),
    ],
    ids=str,
)
def test_a_missing_or_empty_key_is_an_error_at_init_app(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="OPTOUT_KEYS and SECRET_KEY hold no key"):
        apply(app(**{"SECRET_KEY": None, **config}))


PLACEHOLDERS = [
    "dev",
    "changeme",
    "change-me",
    "CHANGE ME!",
    "secret",
    "your-secret-key-here",
    "development key",
    "change-me-please-change-me-please-now",
    "dev" * 20,
    "super-secret-key-123",
    "this is not a very secret key",
    "x" * (LEAST_KEY - 1),
    "a3f9",
]


@pytest.mark.parametrize("secret", PLACEHOLDERS)
@pytest.mark.parametrize("setting", ["SECRET_KEY", "OPTOUT_KEYS"])
def test_a_key_that_can_be_guessed_is_refused_and_its_id_is_named(secret: str, setting: str) -> None:
    value: Any = [GOOD, secret] if setting == "OPTOUT_KEYS" else secret
    with pytest.raises(ConfigurationError, match=f"{setting}.*{setting}") as refused:
        apply(app(**{"SECRET_KEY": None, setting: value}))
    assert AppKey(secret).id in refused.value.what and f" {secret} " not in str(refused.value)


@pytest.mark.parametrize(
    "mode", [{"DEBUG": True}, {"TESTING": True}, {"OPTOUT_BASE_URL": "http://127.0.0.1:5000"}], ids=str
)
def test_in_development_a_weak_key_is_one_warning(mode: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        apply(app(SECRET_KEY="dev", **mode))
    assert [AppKey("dev").id in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize("make", [secrets.token_hex, secrets.token_urlsafe, secrets.token_bytes])
def test_a_random_key_is_good(make: Callable[[int], str | bytes]) -> None:
    for _ in range(100):
        apply(app(OPTOUT_KEYS=[make(LEAST_KEY) for _ in range(20)]))


@pytest.mark.parametrize("secret", ["a0123456789" * 3, "A1" * LEAST_KEY, "0" * 31 + "a"])
def test_a_hexadecimal_key_is_good_whatever_its_letters(secret: str) -> None:
    apply(app(OPTOUT_KEYS=[secret]))


def test_a_key_of_bytes_from_the_environment_is_good() -> None:
    apply(app(SECRET_KEY=os.fsdecode(bytes(range(128, 160)))))


@given(st.binary(min_size=LEAST_KEY, max_size=64))
def test_any_other_key_is_good(secret: bytes) -> None:
    apply(app(SECRET_KEY=b"an honest kx " + secret))


def test_the_readmes_table_is_made_of_the_settings() -> None:
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| `(OPTOUT_\w+)` \| (.*?) \| (.*?) \|$", readme, re.MULTILINE)
    expected = [(setting.name, shown(setting.default), setting.meaning) for setting in SETTINGS]
    assert rows == expected


def shown(default: Any) -> str:
    return f'`"{default}"`' if isinstance(default, str) else f"`{default!r}`"
