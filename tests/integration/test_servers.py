"""The whole story under the servers that people run, with many candidates at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.gunicorn import gunicorn
from tests.support.hosts import Mailbox
from tests.support.story import NO
from tests.support.walk import SIGNAL, Web, links, walk

pytestmark = pytest.mark.long

WORKERS = {
    "gunicorn with threads": ["-k", "gthread", "--threads", "8", "-w", "2"],
    "gunicorn with gevent": ["-k", "gevent", "-w", "1"],
}


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(value, id=name, marks=pytest.mark.walked("Server", name)) for name, value in WORKERS.items()],
)
def test_the_story_is_walked_under(arguments: list[str], tmp_path: Path, smtp: Mailbox) -> None:
    with gunicorn(tmp_path, smtp, *arguments) as port:
        web, public = Web(port), f"http://127.0.0.1:{port}"

        def invite(address: str = "jane@example.org") -> None:
            assert web.open(f"{public}/invite/{address}", "").text == "accepted"

        walk(web, smtp, invite, public)

        smtp.received.clear()
        people = [f"candidate{number}@example.org" for number in range(16)]
        with ThreadPoolExecutor(len(people)) as pool:
            list(pool.map(invite, people))
            mails = {mail.rcpt_to[0]: links(mail) for mail in smtp.received}
            assert set(mails) == set(people)
            list(pool.map(lambda person: web.press(mails[person][0], NO), people[::2]))
            answers = pool.map(lambda person: web.open(mails[person][1], SIGNAL).status, people[1::4])
            assert set(answers) == {200}
            smtp.received.clear()
            list(pool.map(invite, people))
        assert {mail.rcpt_to[0] for mail in smtp.received} == set(people[3::4])
