"""GNU Mailman: an opportunity is a mailing list, and a mute is a member whose delivery is off.

It asks several queries for each member, so its list holds those asked alone: what other lists hold could only slow
it.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .child import serve
from .task import Task

SETTINGS = """
[mailman]
layout: here
[paths.here]
var_dir: {folder}
bin_dir: {folder}
[database]
class: {kind}
url: {url}
"""
KINDS = {
    "sqlite": "mailman.database.sqlite.SQLiteDatabase",
    "postgresql": "mailman.database.postgresql.PostgreSQLDatabase",
}


def start(task: Task) -> Callable[[], list[str]]:
    from mailman.config import config
    from mailman.core.initialize import initialize
    from mailman.email.message import Message

    kind, url = KINDS[str(task.database["kind"])], task.database["url"]
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    settings = Path(folder, "mailman.cfg")
    settings.write_text(SETTINGS.format(folder=folder, kind=kind, url=url), encoding="utf-8")
    initialize(str(settings))
    members = _filled(task)
    config.db.commit()
    invitation = Message()
    invitation["From"] = "operator@example.org"

    def work() -> list[str]:
        found: dict[str, set[str]] = {}
        config.handlers["member-recipients"].process(members, invitation, found)
        # As after each message of its queues, so that the next round reads the database again.
        config.db.commit()
        return list(found["recipients"])

    return work


def _filled(task: Task) -> Any:
    from mailman.interfaces.domain import IDomainManager
    from mailman.interfaces.listmanager import IListManager
    from mailman.interfaces.member import DeliveryStatus
    from mailman.interfaces.usermanager import IUserManager
    from zope.component import getUtility

    getUtility(IDomainManager).add("example.org")
    members = getUtility(IListManager).create(f"{task.opportunity}@example.org")
    users = getUtility(IUserManager)
    muted = set(task.muted)
    for address in task.asked:
        member = members.subscribe(users.create_address(address))
        if address in muted:
            member.preferences.delivery_status = DeliveryStatus.by_user
    return members


if __name__ == "__main__":
    serve(start, "mailman", "SQLAlchemy")
