"""No record of any logger holds the token of a personal link (V10)."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from flask_optout.links.log_filter import MASK, mask_records, without_tokens
from flask_optout.links.tokens import SHORTEST_TOKEN

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
    assert without_tokens(line) == line
