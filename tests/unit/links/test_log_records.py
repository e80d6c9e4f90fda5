"""Our log lines have one form, which the manual explains; no record of any logger holds a personal link."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flask_optout import StoreUnavailable, errors
from flask_optout.links.log_records import MASK, log, log_error, mask_records, mask_tokens
from flask_optout.links.tokens import SHORTEST_TOKEN

ROOT = Path(__file__).parents[3]
SOURCES = {path: path.read_text() for path in (ROOT / "flask_optout").rglob("*.py")}
TOKEN = "aeb" + "q7" * SHORTEST_TOKEN
LINK = f"/optout/{TOKEN}"


@pytest.fixture(autouse=True)
def masked() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logging.LogRecord)
    mask_records()
    yield
    logging.setLogRecordFactory(before)


def logger_with(handler: logging.Handler) -> logging.Logger:
    logger = logging.getLogger("some.host.views")
    logger.propagate = False
    logger.handlers = [handler]
    return logger


def written(*message: object, **options: bool) -> str:
    stream = io.StringIO()
    logger_with(logging.StreamHandler(stream)).error(*message, **options)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ((LINK,), f"/optout/{MASK}\n"),
        ((LINK.upper(),), f"/OPTOUT/{MASK}\n"),
        (("GET %s %d", LINK, 200), f"GET /optout/{MASK} 200\n"),
        (("%(U)s %(s)s", {"U": LINK, "s": 200}), f"/optout/{MASK} 200\n"),
        (({"url": LINK},), f"{{'url': '/optout/{MASK}'}}\n"),
        (("%s of %s", "one", "two"), "one of two\n"),
        (("100%",), "100%\n"),
    ],
)
def test_a_message_is_written_without_its_tokens(message: tuple[object, ...], line: str) -> None:
    assert written(*message) == line


class Atoms(dict[str, Any]):
    """As gunicorn's access log has them."""

    def __init__(self, atoms: dict[str, Any]) -> None:
        super().__init__(atoms)

    def __getitem__(self, name: str) -> Any:
        return self.get(name, "-")


@pytest.mark.parametrize(
    ("line", "arguments", "kept"),
    [
        # As uvicorn's own formatter takes them apart.
        ('%s - "%s" %d', ("10.0.0.1", f"GET {LINK}", 200), ("10.0.0.1", f"GET /optout/{MASK}", 200)),
        ("%(U)s %({x}i)s", (Atoms({"U": LINK, "s": 200}),), Atoms({"U": f"/optout/{MASK}", "s": 200})),
    ],
)
def test_a_formatter_finds_the_arguments_in_their_places(
    caplog: pytest.LogCaptureFixture, line: str, arguments: tuple[Any, ...], kept: object
) -> None:
    logging.getLogger("access").warning(line, *arguments)
    [record] = caplog.records
    assert record.args == kept and TOKEN not in record.getMessage() and MASK in record.getMessage()


def test_a_traceback_is_written_without_its_tokens() -> None:
    try:
        raise LookupError(f"nothing at {LINK}")
    except LookupError:
        text = written("Exception on %s", LINK, exc_info=True)
    assert f"LookupError: nothing at /optout/{MASK}" in text and "Traceback" in text and TOKEN not in text


def test_a_traceback_without_tokens_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise LookupError("nothing")
    except LookupError:
        logging.getLogger("host").exception("Failed")
    assert caplog.records[0].exc_info is not None and caplog.records[0].exc_info[0] is LookupError


def test_arguments_that_do_not_fit_show_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    written("%d", LINK)
    assert TOKEN not in capsys.readouterr().err


def test_a_host_keeps_the_records_that_it_makes_and_they_are_masked_once(caplog: pytest.LogCaptureFixture) -> None:
    class Own(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Own)
    for _ in range(3):  # as many apps
        mask_records()
    factory = logging.getLogRecordFactory()
    mask_records()
    assert logging.getLogRecordFactory() is factory
    logging.getLogger("host").warning("see %s", LINK)
    assert isinstance(caplog.records[0], Own) and caplog.messages == [f"see /optout/{MASK}"]


def test_short_words_and_other_urls_stay() -> None:
    line = "GET /jobs/7?next=/a/very/long/path/that/is/no/token/at/all-" + "a" * (SHORTEST_TOKEN - 1)
    assert mask_tokens(line) == line


def test_a_line_begins_with_the_event_and_the_record_has_it(caplog: pytest.LogCaptureFixture) -> None:
    log(logging.getLogger("host"), logging.WARNING, "weak_key", "It can be guessed.")
    log_error(logging.getLogger("host"), StoreUnavailable("No table.", "Why.", "Mend."))
    first, second = caplog.records
    assert first.getMessage() == "optout.weak_key: It can be guessed." and first.levelno == logging.WARNING
    assert second.getMessage().startswith("optout.store_unavailable: No table. Why. Mend.")
    assert [vars(record)["optout_event"] for record in caplog.records] == [
        "optout.weak_key",
        "optout.store_unavailable",
    ]


def test_a_line_brings_the_traceback_of_an_error_where_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise LookupError("nothing")
    except LookupError:
        for exc_info in (True, False):
            log(logging.getLogger("host"), logging.ERROR, "failed", "It failed.", exc_info=exc_info)
    assert [record.exc_info is not None for record in caplog.records] == [True, False]


def test_nothing_is_logged_in_another_way() -> None:
    elsewhere = {path.name for path, text in SOURCES.items() if re.search(r"logger\.(?!addFilter)\w+\(", text)}
    assert elsewhere == {"log_records.py"}


def test_the_manual_names_every_event() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"^\| `optout\.(\w+)`", page, re.MULTILINE))
    logged = {name for text in SOURCES.values() for name in re.findall(r'logging\.\w+,\s+"(\w+)",', text)}
    of_errors = {name for name in named if hasattr(errors, name.title().replace("_", ""))}
    assert named == logged | of_errors and of_errors == {"store_unavailable", "configuration_error", "journal_error"}
