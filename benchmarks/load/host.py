"""The host app: operators ask for invitations over HTTP, and Celery workers send them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery
from flask import Flask, request
from flask_sqlalchemy import SQLAlchemy

from flask_optout import OptOut, StoreUnavailable
from flask_optout.mailers.flask_mail import Invitation, Mail

OPPORTUNITIES = {
    "camera": {"title": "Pocket Camera"},
    "sleep": {"title": "Sleep Study"},
    "evening": {"title": "Open Evening"},
}
#: Where a process of its own finds its settings, as JSON.
SETTINGS = "OPTOUT_LOAD_SETTINGS"
QUEUE = "invitations"


class Host:
    """The app with its extensions, and the queue that it fills and empties."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.app = Flask("load")
        self.app.config.update(settings)
        self.db = SQLAlchemy(self.app)
        self.mail = Mail(self.app)
        self.optout = OptOut(self.db, self.app)
        self.optout.opportunity_loader(OPPORTUNITIES.get)
        self.celery = Celery("load", broker=settings["REDIS_URL"])
        self.celery.conf.update(
            task_ignore_result=True,
            task_default_queue=QUEUE,
            task_acks_late=True,
            task_reject_on_worker_lost=True,
            worker_prefetch_multiplier=1,
            broker_transport_options=settings["REDIS_OPTIONS"],
        )
        # Later attempts are held by a worker until their time: that must be less than the visibility timeout.
        again = {"autoretry_for": (OSError, StoreUnavailable), "retry_backoff": True, "retry_backoff_max": 2}
        self._task = self.celery.task(_sender(self.app, self.mail), name="invite", max_retries=50, **again)
        self.app.add_url_rule("/invitations", view_func=self.ask, methods=["POST"])

    def ask(self) -> str:
        asked = request.get_json()
        for address in asked["addresses"]:
            self._task.delay(address, asked["opportunity"], asked["round"])
        return "accepted"


def _sender(app: Flask, mail: Mail) -> Callable[[str, str, int], None]:
    """What the task runs: a plain function, as Celery miscounts the arguments of a method."""

    def invite(address: str, opportunity: str, number: int) -> None:
        with app.app_context():
            subject = f"{opportunity} {number}"
            mail.send(Invitation(subject, recipients=[address], body="Come and try it.", opportunity=opportunity))

    return invite


def from_environment() -> Host:
    return Host(json.loads(os.environ[SETTINGS]))


def web() -> Flask:
    """What gunicorn serves."""
    return from_environment().app
