"""The servers of the run, all its own: PostgreSQL, two app servers behind nginx, and Celery workers."""

from __future__ import annotations

import http.client
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.hosts import free_port

ROOT = Path(__file__).parents[2]
THREADS = 6
#: Seconds within which everything that is started must answer.
STARTING = 60.0
NGINX = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/nginx-body;
    proxy_temp_path {folder}/nginx-proxy;
    fastcgi_temp_path {folder}/nginx-fastcgi;
    uwsgi_temp_path {folder}/nginx-uwsgi;
    scgi_temp_path {folder}/nginx-scgi;
    upstream app_servers {{
        {servers}
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app_servers;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_connect_timeout 2s;
        }}
    }}
}}
"""


def processor_seconds(root: int) -> float:
    """What a process and its children have taken of the processor; Linux alone tells, elsewhere it is none."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            fields = path.read_text().rpartition(")")[2].split()
            if root in (int(path.parent.name), int(fields[1])):
                ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


class Absent(Exception):
    """Something that this machine lacks, and how to get it."""


class Program:
    """A program of the run, in a session of its own, so that all its processes can be killed at once."""

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self._command = command
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to all that it started."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def processor_seconds(self) -> float:
        return 0.0 if self._process is None else processor_seconds(self._process.pid)

    def check(self) -> None:
        """Fail, with its own words, if it has ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            log = (self._folder / f"{self.name}.log").read_text()
            raise RuntimeError(f"{self.name} has ended with {self._process.returncode}:\n{log[-2000:]}")


class Served(Program):
    """A program that answers HTTP at a port of its own."""

    def __init__(
        self, name: str, command: Sequence[str | Path], folder: Path, settings: Mapping[str, str], port: int
    ) -> None:
        super().__init__(name, command, folder, settings)
        self.port = port

    def start(self) -> None:
        super().start()
        deadline = time.monotonic() + STARTING
        while not self._answers():
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not answer within {STARTING:g} s.")
            time.sleep(0.1)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/optout/")
            return connection.getresponse().status == 404
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def app_server(name: str, folder: Path, settings: Mapping[str, str]) -> Served:
    """A gunicorn with a master of its own."""
    port = free_port()
    options = ["-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", str(THREADS), "--log-level", "error"]
    command = [sys.executable, "-m", "gunicorn", *options, "benchmarks.load.host:web()"]
    return Served(name, command, folder, settings, port)


def worker(name: str, folder: Path, settings: Mapping[str, str]) -> Program:
    """A Celery worker that sends one invitation at a time."""
    quiet = ["--without-mingle", "--without-gossip", "--without-heartbeat", "-l", "ERROR"]
    options = ["-n", f"{name}@load", "-c", "1", *quiet]
    command = [sys.executable, "-m", "benchmarks.load.worker", "worker", *options]
    return Program(name, command, folder, settings)


def proxy(folder: Path, port: int, servers: Sequence[Served]) -> Served:
    """The nginx behind whose one address the app servers stand."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        raise Absent("There is no nginx to stand in front of the app servers: apt-get install nginx-light.")
    places = "\n        ".join(f"server 127.0.0.1:{server.port} fail_timeout=1s;" for server in servers)
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, servers=places))
    return Served("nginx", [nginx, "-e", folder / "nginx.log", "-c", config], folder, {}, port)


class Cluster:
    """A PostgreSQL cluster of the run's own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._binaries = _binaries()
        self._data = folder / "data"
        self._log = folder / "postgresql.log"
        self._owner = _owner()
        self._data.mkdir(0o700)
        if self._owner:
            for path in (self._data, self._log):
                path.touch()
                shutil.chown(path, self._owner["user"], self._owner["group"])
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    @property
    def uri(self) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''"
        self._run("pg_ctl", "-D", self._data, "-l", self._log, "-o", options, "-w", "start")

    def stop(self) -> None:
        """As in a crash: nothing is written back, and all connections are gone."""
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")

    def processor_seconds(self) -> float:
        return processor_seconds(int((self._data / "postmaster.pid").read_text().split()[0]))

    def _run(self, program: str, *arguments: str | Path) -> None:
        # To a file: a server that keeps a pipe open would be waited for.
        with self._log.open("ab") as log:
            command = [self._binaries / program, *arguments]
            done = subprocess.run(command, cwd="/", stdout=log, stderr=log, **self._owner)
        if done.returncode:
            raise RuntimeError(f"{program} has failed:\n{self._log.read_text()[-2000:]}")


def _binaries() -> Path:
    newest_first = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    here = shutil.which("initdb")
    places = [*([Path(here).resolve().parent] if here else []), *newest_first]
    for place in places:
        if (place / "initdb").exists():
            return place
    raise Absent("There is no PostgreSQL whose own cluster could be made: apt-get install postgresql.")


def _owner() -> dict[str, Any]:
    """Whose the cluster is to be: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
