"""All that a run needs, started in order and gone afterwards."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tests.support.hosts import free_port, smtp_server

from .host import QUEUE, SETTINGS, Host
from .servers import THREADS, Absent, Cluster, Program, Served, app_server, proxy, worker
from .sink import Greeting, Sink

REDIS = os.environ.get("OPTOUT_TEST_REDIS", "redis://127.0.0.1:6379")
#: Seconds after which Redis delivers again what a dead worker held.
VISIBILITY = 4
#: Seconds within which all that waits must be sent.
DRAINING = 120.0


@dataclass
class Stage:
    """The servers of a run, and the host app as this process sees it."""

    port: int
    sink: Sink
    cluster: Cluster
    servers: list[Served]
    workers: list[Program]
    host: Host
    broker: Any
    prefix: str

    def waiting(self) -> int:
        """How many invitations no worker has taken."""
        return int(self.broker.llen(self.prefix + QUEUE))

    def taken(self) -> set[bytes]:
        """What workers have taken and not yet done."""
        return set(self.broker.hkeys(f"{self.prefix}unacked"))

    def processor_seconds(self) -> dict[str, float]:
        """What the workers and the database have taken of the processors."""
        workers = sum(worker.processor_seconds() for worker in self.workers)
        return {"the workers": workers, "the database": self.cluster.processor_seconds()}

    def drain(self) -> int:
        """Wait until every task is done; gives how many are not when that takes too long."""
        deadline = time.monotonic() + DRAINING
        while (left := self.waiting() + len(self.taken())) > 0:
            self.check()
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        return left

    def check(self) -> None:
        """Fail if a program has ended by itself."""
        for program in [*self.servers, *self.workers]:
            program.check()


@contextmanager
def stage() -> Iterator[Stage]:
    """Start everything.

    :raises Absent: when this machine lacks PostgreSQL, nginx or Redis.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        folder.chmod(0o711)  # PostgreSQL and nginx may run as users of their own
        prefix = f"optout-load-{secrets.token_hex(4)}:"
        broker = stack.enter_context(_broker(prefix))
        port = free_port()
        sink = stack.enter_context(smtp_server(Sink, Greeting))
        cluster = Cluster(folder)
        cluster.start()
        stack.callback(cluster.stop)
        settings = _settings(cluster, sink, port, prefix)
        host = Host(settings)
        with host.app.app_context():
            host.db.create_all()
            stack.callback(host.db.engine.dispose)
        environment = {SETTINGS: json.dumps(settings)}
        servers = [app_server(f"server{number}", folder, environment) for number in (1, 2)]
        workers = [worker(f"worker{number}", folder, environment) for number in (1, 2)]
        for program in [*servers, proxy(folder, port, servers), *workers]:
            stack.callback(program.kill)
            program.start()
        yield Stage(port, sink, cluster, servers, workers, host, broker, prefix)


def _settings(cluster: Cluster, sink: Sink, port: int, prefix: str) -> dict[str, Any]:
    return {
        "SECRET_KEY": secrets.token_hex(),
        "SQLALCHEMY_DATABASE_URI": cluster.uri,
        "SQLALCHEMY_ENGINE_OPTIONS": {"pool_size": THREADS},
        "MAIL_SERVER": sink.host,
        "MAIL_PORT": sink.port,
        "MAIL_DEFAULT_SENDER": "team@example.org",
        "OPTOUT_BASE_URL": f"http://127.0.0.1:{port}",
        "REDIS_URL": REDIS,
        "REDIS_OPTIONS": {"visibility_timeout": VISIBILITY, "global_keyprefix": prefix},
    }


@contextmanager
def _broker(prefix: str) -> Iterator[Any]:
    broker: Any = redis.Redis.from_url(REDIS)
    try:
        broker.ping()
    except redis.ConnectionError:
        raise Absent(
            "No Redis answers: apt-get install redis-server and start it, or set OPTOUT_TEST_REDIS to its URL."
        ) from None
    try:
        yield broker
    finally:
        for key in [*broker.scan_iter(f"{prefix}*")]:
            broker.delete(key)
        broker.close()
