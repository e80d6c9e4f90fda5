"""The whole story is walked over HTTP in every kind of host that we must live in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as Lite

from flask_optout import ConfigurationError, OptOut
from flask_optout.mailers.flask_mail import Invitation, Mail
from tests.support.host_kinds import HOSTS, Build, Plan
from tests.support.hosts import Mailbox, http_server
from tests.support.story import NO
from tests.support.walk import A_GLANCE, Form, walk

pytestmark = pytest.mark.long


@pytest.fixture
def plan(tmp_path: Path, smtp: Mailbox) -> Iterator[Plan]:
    yield Plan(tmp_path, smtp)


@pytest.mark.parametrize(
    "build", [pytest.param(build, id=name, marks=pytest.mark.walked("Host", name)) for name, build in HOSTS.items()]
)
def test_the_story_is_walked_in(build: Build, plan: Plan, smtp: Mailbox) -> None:
    app = build(plan)

    def invite() -> None:
        with app.app_context():
            invitation = Invitation("Join", ["jane@example.org"], "Come.", opportunity="beta-42")
            app.extensions["mail"].send(invitation)

    with http_server(app, plan.web.port):
        walk(plan.web, smtp, invite, plan.public)
    checked = app.test_cli_runner().invoke(args=["optout", "doctor", "--offline"])
    assert checked.exit_code == 0, checked.output


def test_two_apps_in_a_process_keep_apart(tmp_path: Path, smtp: Mailbox) -> None:
    """With different keys and settings, though one mail object and one extension serve both."""
    db, mail = SQLAlchemy(), Mail()
    optout = OptOut(db)
    apps = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        plan = Plan(tmp_path / name, smtp, f"https://{name}.example.org")
        app = plan.app(SECRET_KEY=f"the secret key of {name}, 32 bytes or more")
        for extension in (db, mail, optout):
            extension.init_app(app)
        apps.append(plan.with_tables(app))
    one, two = apps
    with one.app_context():
        link = optout.link("jane@example.org", "beta-42")
    path = link.removeprefix("https://one.example.org")
    form = Form(one.test_client().get(path).text)
    data = {**form.fields, "choice": form.buttons[NO]["value"]}
    time.sleep(A_GLANCE)
    assert one.test_client().post(path, data=data).status_code == 303
    assert two.test_client().get(path).status_code == 404
    for app, invited in ((one, False), (two, True)):
        with app.app_context():
            assert optout.may_invite("jane@example.org", "beta-42") is invited
            assert optout.link("jane@example.org", "beta-42").startswith(app.config["OPTOUT_BASE_URL"])


def test_a_database_object_without_metadata_needs_ours_named(plan: Plan) -> None:
    app = plan.app(SQLALCHEMY_ENGINES={"default": "sqlite://"})
    with pytest.raises(ConfigurationError, match="metadata=Model.metadata"):
        OptOut(Lite(app), app)
