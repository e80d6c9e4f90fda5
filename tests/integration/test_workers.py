"""The recipes of docs/workers.md, with real workers and a real Redis: every attempt is checked afresh."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from flask_optout import OptOut
from flask_optout.addresses import parse
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state
from tests.conftest import missing
from tests.support.hosts import BASE_URL, KEY, Mailbox, smtp_server, until

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "workers.md").read_text()
MODULES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL))
COMMANDS = {text.split()[0]: text for text in re.findall(r"^```shell\n(.*?)\n```$", MANUAL, re.MULTILINE)}
REDIS = os.environ.get("OPTOUT_TEST_REDIS", "redis://127.0.0.1:6379")
#: Seconds after which Celery's Redis gives a job of a killed worker to another one.
VISIBILITY = 2


@dataclass
class Moody(Mailbox):
    """A mail server that takes mail, says "try later", or keeps its client waiting before it takes anything."""

    mood: str = "open"
    reached: int = 0

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.reached += 1
        while self.mood == "stalled":
            await asyncio.sleep(0.02)
        if self.mood == "busy":
            return "451 try later"
        envelope.mail_from = address
        return "250 OK"


@dataclass
class Crew:
    """The modules and the worker of a recipe, in a folder of their own, on queues of their own."""

    recipe: str
    folder: Path
    queue: str
    smtp: Moody
    broker: Any
    environment: dict[str, str]
    web: Flask
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    idle: set[int] = field(default_factory=set)

    def run(self, code: str) -> None:
        subprocess.run(
            [sys.executable, "-c", code], cwd=self.folder, env=self.environment, check=True, capture_output=True
        )

    def enqueue(self, *people: str) -> None:
        call = {"celery": "invite_later.delay", "rq": "invite_later"}[self.recipe]
        module = {"celery": "tasks", "rq": "jobs"}[self.recipe]
        calls = "\n".join(f"{call}('{person}@example.org', 'beta-42')" for person in people)
        self.run(f"from {module} import invite_later\n{calls}")

    def token(self, person: str) -> str:
        with self.web.app_context():
            return current_state().tokens.mint(Door.ONE_CLICK, parse(f"{person}@example.org"), "beta-42")

    def mute(self, person: str) -> None:
        """What the candidate's mail program sends to the web server."""
        token = self.token(person)
        data = {"List-Unsubscribe": "One-Click"}
        assert self.web.test_client().post(f"/optout/one-click/{token}", data=data).status_code == 200

    def pending(self) -> int:
        """How many jobs wait, run, or are to be run again."""
        if self.recipe == "celery":
            return int(self.broker.llen(self.queue * 2)) + int(self.broker.hlen(f"{self.queue}unacked"))
        registries = [f"rq:{kind}:{self.queue}" for kind in ("scheduled", "wip")]
        waiting = int(self.broker.llen(f"rq:queue:{self.queue}"))
        return waiting + sum(int(self.broker.zcard(registry)) for registry in registries)

    def start(self) -> None:
        command, *arguments = shlex.split(COMMANDS[self.recipe].replace("invitations", self.queue))
        extra = {"celery": ["-c", "2", "-l", "ERROR", "--without-mingle", "--without-gossip"], "rq": ["-q"]}
        program = Path(sys.executable).with_name(command)
        with (self.folder / "worker.log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    [program, *arguments, *extra[self.recipe]],
                    cwd=self.folder,
                    env=self.environment,
                    start_new_session=True,
                    stdout=log,
                    stderr=log,
                )
            )

    def kill(self) -> None:
        """SIGKILL what is sending: for Celery the whole worker, for RQ the process of the job."""
        if self.recipe == "celery":
            os.killpg(self.workers[-1].pid, signal.SIGKILL)
            self.workers[-1].wait()
        else:
            [job] = self.children() - self.idle
            os.kill(job, signal.SIGKILL)

    def children(self) -> set[int]:
        pid = self.workers[-1].pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def stop(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait()

    def got(self) -> list[str]:
        return sorted(mail.rcpt_to[0].partition("@")[0] for mail in self.smtp.received)


@pytest.fixture(
    params=[
        pytest.param("celery", marks=pytest.mark.walked("Worker", "Celery")),
        pytest.param("rq", marks=pytest.mark.walked("Worker", "RQ")),
    ]
)
def crew(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Crew]:
    broker: Any = redis.Redis.from_url(REDIS)
    try:
        broker.ping()
    except redis.ConnectionError:
        missing("Redis", "apt-get install redis-server and start it, or set OPTOUT_TEST_REDIS to its URL")
    queue = f"optout-{uuid.uuid4().hex[:8]}"
    with smtp_server(Moody) as smtp:
        settings = {
            "SECRET_KEY": KEY,
            "SQLALCHEMY_DATABASE_URI": f"sqlite:///{tmp_path / 'app.db'}",
            "MAIL_SERVER": smtp.host,
            "MAIL_PORT": smtp.port,
            "MAIL_DEFAULT_SENDER": "team@example.org",
            "OPTOUT_BASE_URL": BASE_URL,
            "REDIS_URL": REDIS,
            "REDIS_OPTIONS": {"visibility_timeout": VISIBILITY, "global_keyprefix": queue},
            "RETRY_SECONDS": 1,
        }
        for name, text in MODULES.items():
            (tmp_path / name).write_text(text.replace('"invitations"', f'"{queue}"'))
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
            "RQ_REDIS_URL": REDIS,
            **{f"FLASK_{name}": json.dumps(value) for name, value in settings.items()},
        }
        web = Flask("web")
        web.config.from_mapping({name: value for name, value in settings.items() if not name.startswith("MAIL")})
        db = SQLAlchemy(web)
        OptOut(db, web)
        with web.app_context():
            db.create_all()
        crew = Crew(request.param, tmp_path, queue, smtp, broker, environment, web)
        try:
            yield crew
        finally:
            crew.stop()
            smtp.mood = "open"
            for key in [*broker.scan_iter(f"*{queue}*")]:
                broker.delete(key)
            broker.close()


def payloads(crew: Crew) -> list[list[Any]]:
    """What stands in Redis for each job: its arguments, and nothing that is pickled."""
    if crew.recipe == "celery":
        [queue] = [key for key in crew.broker.scan_iter(f"{crew.queue}*") if crew.broker.type(key) == b"list"]
        messages = [json.loads(raw) for raw in crew.broker.lrange(queue, 0, -1)]
        assert {message["content-type"] for message in messages} == {"application/json"}
        return [json.loads(base64.b64decode(message["body"]))[0] for message in messages]
    [queue] = crew.broker.scan_iter(f"rq:queue:{crew.queue}")
    data = [crew.broker.hget(b"rq:job:" + job, "data") for job in crew.broker.lrange(queue, 0, -1)]
    return [json.loads(zlib.decompress(each))[2] for each in data]


def test_each_attempt_is_checked(crew: Crew) -> None:
    crew.mute("bob")
    crew.enqueue("anna", "bob")
    assert sorted(payloads(crew)) == [["anna@example.org", "beta-42"], ["bob@example.org", "beta-42"]]
    crew.start()
    until(lambda: crew.got() == ["anna"])

    crew.smtp.mood = "busy"
    reached = crew.smtp.reached
    crew.enqueue("carol", "dan")
    until(lambda: crew.smtp.reached >= reached + 2)
    crew.mute("carol")
    crew.smtp.mood = "open"
    until(lambda: "dan" in crew.got() and crew.pending() == 0)
    assert crew.got() == ["anna", "dan"]

    crew.idle = crew.children()
    crew.smtp.mood = "stalled"
    reached = crew.smtp.reached
    crew.enqueue("erin", "finn")
    if crew.recipe == "celery":  # both at once
        until(lambda: crew.smtp.reached == reached + 2)
        crew.mute("erin")
        crew.kill()
        time.sleep(VISIBILITY)
    else:  # one after the other
        until(lambda: crew.smtp.reached == reached + 1)
        crew.mute("erin")
        crew.kill()
        until(lambda: crew.smtp.reached == reached + 2)
        crew.kill()
    crew.smtp.mood = "open"
    if crew.recipe == "celery":
        crew.start()
    until(lambda: "finn" in crew.got() and crew.pending() == 0)
    assert crew.got() == ["anna", "dan", "finn"]


def test_the_manual_has_no_other_code() -> None:
    assert set(MODULES) == {"app.py", "tasks.py", "jobs.py"}
    assert set(COMMANDS) == {"celery", "rq"}
    assert MANUAL.count("```") == 2 * (len(MODULES) + len(COMMANDS))
