"""A Postfix of its own, in a folder of its own, as Debian's package brings it."""

from __future__ import annotations

import os
import pwd
import shutil
import smtplib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.hosts import free_port, listens, until

ROOT = Path(__file__).parents[2]
#: Whom the pipe runs as: Postfix runs no program as root.
USER = "nobody"
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = in.example.org
mydestination =
alias_maps =
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
export_environment = PATH=/usr/bin:/bin PYTHONPATH={path} PYTHONDONTWRITEBYTECODE=1
"""
MASTER = """
{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
flush unix n - n 1000? 0 flush
postlog unix-dgram n - n - 1 postlogd
"""


class NoPostfix(Exception):
    """There is no Postfix that could be run here."""


@dataclass(frozen=True)
class Postfix:
    """A running Postfix; ``folder``: its own, which the user of the pipe may write."""

    folder: Path
    port: int

    def take(self, sender: str, recipient: str, message: bytes) -> None:
        """Hand it a message, as a mail program does."""
        with smtplib.SMTP("127.0.0.1", self.port) as server:
            server.sendmail(sender, [recipient], message)

    def await_log(self, text: str) -> None:
        """Wait until it logs this."""
        try:
            until(lambda: text in self.log())
        except AssertionError:
            raise AssertionError(f"{text!r} is not in:\n{self.log()}") from None

    def log(self) -> str:
        path = self.folder / "mail.log"
        return path.read_text() if path.exists() else ""


def interpreter() -> str:
    """A Python of this version that the user of the pipe can run."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError):
            if subprocess.run([python, "-c", ""], user=USER, extra_groups=[], cwd="/").returncode == 0:
                return python
    raise NoPostfix(f"the user {USER} must be able to run {sys.executable}")


@contextmanager
def postfix_server(main: str, master: str) -> Iterator[Postfix]:
    """Run a Postfix with these lines in its ``main.cf`` and ``master.cf``; ``{folder}`` stands for its folder.

    :raises NoPostfix: where there is none, or nobody may start it.
    """
    program = shutil.which("postfix", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise NoPostfix("apt-get install postfix")
    if os.geteuid() != 0:
        raise NoPostfix("run the tests as root, who alone may start Postfix")
    folder = Path(tempfile.mkdtemp(prefix="optout-postfix-"))
    try:
        port = _set_up(folder, main, master)
        command = [program, "-c", str(folder / "etc")]
        subprocess.run([*command, "start"], check=True, capture_output=True, timeout=60)
        try:
            until(lambda: listens(port), "Postfix")
            yield Postfix(folder, port)
        finally:
            subprocess.run([*command, "stop"], check=True, capture_output=True, timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _set_up(folder: Path, main: str, master: str) -> int:
    folder.chmod(0o755)
    port = free_port()
    owner = pwd.getpwnam("postfix").pw_uid
    for name in ("etc", "queue", "data", "app"):
        (folder / name).mkdir()
    os.chown(folder / "data", owner, -1)
    os.chown(folder / "app", pwd.getpwnam(USER).pw_uid, -1)
    path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if "site-packages" in entry)])
    (folder / "etc" / "main.cf").write_text(MAIN.format(folder=folder, path=path) + main)
    (folder / "etc" / "master.cf").write_text(MASTER.format(port=port) + master.replace("{folder}", str(folder)))
    return port
