"""The side of a peer in Python: reads its task, fills its tables, and times its rounds where they happen.

A peer reads JSON from its standard input, a line each: the task first, then ``"people"`` or ``"round"``. It answers
a line of JSON each: its version, the addresses that may be invited, or the seconds that a round took. When it cannot
do the work it answers ``{"not_run": why}`` instead.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from ..harness import seconds_of
from .task import Task

NOT_RUN = "not_run"


def serve(start: Callable[[Task], Callable[[], list[str]]], *packages: str) -> None:
    """Do what standard input asks for, until it ends."""
    try:
        work = start(Task(**json.loads(sys.stdin.readline())))
        _answer(", ".join(f"{name} {version(name)}" for name in packages))
        for line in sys.stdin:
            _answer(work() if json.loads(line) == "people" else seconds_of(work))
    except ModuleNotFoundError as error:
        _answer({NOT_RUN: f"needs {error.name}: `pip install -e '.[benchmarks]'`"})
    except Exception as error:
        why = str(error).partition("\n")[0]
        _answer({NOT_RUN: f"{type(error).__name__}: {why}"})


def _answer(answer: object) -> None:
    print(json.dumps(answer), flush=True)


def set_up_django(task: Task, *apps: str, **settings: Any) -> None:
    """Django on the database of the task, with the tables of the apps."""
    import django
    from django.conf import settings as configured
    from django.core.management import call_command

    kind = {"sqlite": "sqlite3", "postgresql": "postgresql"}[str(task.database["kind"])]
    database = {"ENGINE": f"django.db.backends.{kind}", "NAME": task.database["database"]}
    keys = {"HOST": "host", "PORT": "port", "USER": "username", "PASSWORD": "password"}
    database |= {key: task.database[name] or "" for key, name in keys.items()}
    configured.configure(DATABASES={"default": database}, INSTALLED_APPS=apps, USE_TZ=True, **settings)
    django.setup()
    call_command("migrate", verbosity=0)
