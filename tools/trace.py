"""Counts the files and functions of the package that run for each way through it: ``python -m tools.trace``.

Exits with 1 when one of these ways through the package runs code of more files than it may.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from flask import Flask
from flask_sqlalchemy import SQLAlchemy

import flask_optout
from flask_optout import OptOut
from flask_optout.email_log.records import PER_MINUTE
from flask_optout.email_log.search import Criteria
from flask_optout.mailers.flask_mail import Invitation, Mail
from flask_optout.wiring import current_state

PACKAGE = str(Path(flask_optout.__file__).parent)
JANE = "jane@example.org", "beta-42"
#: The number of files whose code may run on each way.
BOUNDS = {"mint": 6, "look": 8, "press": 10, "send": 10, "bulk": 8, "recover": 15}
Way = Callable[[], object]


def crossed(way: Way) -> set[tuple[str, str]]:
    """The functions of the package that are called on a way, each as its file and its name."""
    found: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            found.add((frame.f_code.co_filename.removeprefix(PACKAGE + "/"), frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        way()
    finally:
        sys.setprofile(None)
    return found


def ways(folder: str) -> dict[str, Way]:
    """The ways, through an app whose parts have all been used before, as each is made at its first use."""
    app = Flask("traced", instance_path=folder)
    app.config.update(
        SECRET_KEY="a key of a traced host, 32 bytes",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/traced.db",
        OPTOUT_BASE_URL="https://invite.example.org",
        MAIL_DEFAULT_SENDER="team@example.org",
        TESTING=True,
    )
    db = SQLAlchemy(app)
    optout, mail = OptOut(db, app, operator=lambda: True), Mail(app)
    optout.opportunity_loader({JANE[1]: {"title": "Pixel Beta"}}.get)
    app.app_context().push()
    db.create_all()
    client, path = app.test_client(), urlsplit(optout.link(*JANE)).path

    def send(to: str = JANE[0]) -> None:
        mail.send(Invitation("Join us", recipients=[to], opportunity=JANE[1], body="Come."))

    def press() -> None:
        assert client.post(path, data={"choice": "mute"}, headers={"HX-Request": "true"}).status_code == 200

    def recover() -> None:
        client.get("/optout/operator/", query_string={"q": JANE[0]})
        url = f"/optout/operator/{sent.pop().id}"
        assert client.get(url).status_code == 200
        assert client.post(f"{url}/send-again", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303

    for name in ("ann", "bob", "cy"):
        send(f"{name}@example.org")
    table = current_state().tables.log.email
    current_state().email_log.change(
        table.update().values(id=table.c.id - PER_MINUTE)
    )  # nobody reads this minute yet
    sent = current_state().search.find(Criteria()).entries
    return {
        "mint": lambda: optout.link(*JANE),
        "look": lambda: client.get(path),
        "press": press,
        "send": send,
        "bulk": lambda: list(optout.invitable(["ann@example.org", JANE[0]], JANE[1])),
        "recover": recover,
    }


def main() -> int:
    over = False
    with tempfile.TemporaryDirectory() as folder:
        for name, way in ways(folder).items():
            for _ in range(2):
                way()
            found = crossed(way)
            files = sorted({file for file, _ in found})
            over |= len(files) > BOUNDS[name]
            print(f"{name:8} {len(files):3} of {BOUNDS[name]} files, {len(found):3} functions: {', '.join(files)}")
        current_state().get_engine().dispose()
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
