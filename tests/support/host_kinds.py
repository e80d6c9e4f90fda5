"""Every kind of host that we must live in, each a small app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask, abort, redirect, request
from flask_login import LoginManager, current_user
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy_lite import SQLAlchemy as Lite
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from packaging.version import Version
from sqlalchemy.orm import DeclarativeBase, DeclarativeBaseNoMeta, MappedAsDataclass, declarative_base
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from flask_optout import OptOut
from flask_optout.mailers.flask_mail import Mail
from tests.support.hosts import KEY, Mailbox, free_port
from tests.support.walk import Web

Build = Callable[["Plan"], Flask]


@dataclass
class Plan:
    """What a host is built with, and how it is reached."""

    folder: Path
    smtp: Mailbox
    public: str = "http://127.0.0.1"
    web: Web = field(default_factory=lambda: Web(free_port()))

    def app(self, **config: Any) -> Flask:
        """A bare app with its settings."""
        options: dict[str, Any] = {
            key: config.pop(key) for key in ("host_matching", "subdomain_matching") if key in config
        }
        if options.get("host_matching"):
            options["static_folder"] = None
        app = Flask("host", **options)
        app.config.from_mapping(
            SECRET_KEY=KEY,
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{self.folder / 'host.db'}",
            MAIL_SERVER=self.smtp.host,
            MAIL_PORT=self.smtp.port,
            MAIL_DEFAULT_SENDER="team@example.org",
            OPTOUT_BASE_URL=self.public,
        )
        app.config.from_mapping(config)
        return app

    def with_optout(self, app: Flask, db: Any = None, **options: Any) -> Flask:
        """Add a database, mail, Flask-OptOut and its tables."""
        db = db or SQLAlchemy(app)
        Mail(app)
        OptOut(db, app, **options)
        return self.with_tables(app)

    def with_tables(self, app: Flask) -> Flask:
        result = app.test_cli_runner().invoke(args=["optout", "init-db"])
        assert result.exit_code == 0, result.output
        return app

    def plain(self, **config: Any) -> Flask:
        return self.with_optout(self.app(**config))


def factory(plan: Plan) -> Flask:
    db, mail = SQLAlchemy(), Mail()
    optout = OptOut(db)

    def create_app() -> Flask:
        app = plan.app()
        for extension in (optout, db, mail):
            extension.init_app(app)
        return plan.with_tables(app)

    create_app()
    return create_app()


def csrf_before(plan: Plan) -> Flask:
    app = plan.app()
    CSRFProtect(app)
    return plan.with_optout(app)


def csrf_after(plan: Plan) -> Flask:
    app = plan.plain()
    CSRFProtect(app)
    return app


def talisman(plan: Plan) -> Flask:
    app = plan.plain()
    Talisman(app, force_https=False)
    return app


def talisman_https(plan: Plan) -> Flask:
    plan.public = "https://jobs.example.org"
    plan.web.forward = {"X-Forwarded-Proto": "https"}
    app = plan.plain()
    Talisman(app)
    return app


def proxy(plan: Plan) -> Flask:
    plan.public = "https://jobs.example.org/app"
    plan.web.strip = "/app"
    plan.web.forward = {
        "Host": "10.0.0.7:8000",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "jobs.example.org",
        "X-Forwarded-Prefix": "/app",
    }
    app = plan.plain()
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    return app


def silent_proxy(plan: Plan) -> Flask:
    plan.public = "https://jobs.example.org/app"
    plan.web.strip = "/app"
    plan.web.forward = {"Host": "10.0.0.7:8000"}
    return plan.plain()


def application_root(plan: Plan) -> Flask:
    plan.public = "http://127.0.0.1/app"
    app = plan.plain(APPLICATION_ROOT="/app")
    app.wsgi_app = DispatcherMiddleware(NotFound(), {"/app": app.wsgi_app})  # type: ignore[method-assign]
    return app


def subdomain(plan: Plan) -> Flask:
    plan.public = "https://jobs.example.org"
    return plan.plain(subdomain_matching=True, SERVER_NAME="example.org")


def no_subdomain(plan: Plan) -> Flask:
    plan.public = "https://example.org"
    return plan.plain(subdomain_matching=True, SERVER_NAME="example.org")


def host_matching(plan: Plan) -> Flask:
    plan.public = "https://Jobs.example.org:443"
    return plan.plain(host_matching=True)


def host_matching_port(plan: Plan) -> Flask:
    plan.public = "http://127.0.0.1:8042"
    return plan.plain(host_matching=True)


def loose_slashes(plan: Plan) -> Flask:
    app = plan.app()
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    return plan.with_optout(app)


def url_prefix(plan: Plan) -> Flask:
    return plan.plain(OPTOUT_URL_PREFIX="/mail/no")


def open_wall(plan: Plan) -> Flask:
    app = plan.plain()
    login = LoginManager(app)
    login.user_loader(lambda id: None)

    @app.before_request
    def wall() -> Response | None:
        if request.blueprint == "optout":
            return None
        return None if current_user.is_authenticated else redirect("/login")

    return app


def maintenance(plan: Plan) -> Flask:
    app = plan.plain()

    @app.before_request
    def closed() -> None:
        if request.blueprint != "optout":
            abort(503)

    return app


def bind_key(plan: Plan) -> Flask:
    app = plan.app(SQLALCHEMY_BINDS={"optout": f"sqlite:///{plan.folder / 'optout.db'}"})
    db = SQLAlchemy(app)
    plan.with_optout(app, db, bind_key="optout")
    with app.app_context():
        assert sa.inspect(db.engine).get_table_names() == []
        assert "optout_choice" in sa.inspect(db.engines["optout"]).get_table_names()
    return app


def lite(plan: Plan) -> Flask:
    class Model(DeclarativeBase):
        pass

    app = plan.app(SQLALCHEMY_ENGINES={"default": f"sqlite:///{plan.folder / 'lite.db'}"})
    return plan.with_optout(app, Lite(app), metadata=Model.metadata)


def lite_bind(plan: Plan) -> Flask:
    class Model(DeclarativeBase):
        pass

    urls = {name: f"sqlite:///{plan.folder / name}.db" for name in ("default", "other")}
    app = plan.app(SQLALCHEMY_ENGINES=urls)
    return plan.with_optout(app, Lite(app), metadata=Model.metadata, bind_key="other")


def model_class(base: Any, **options: Any) -> Build:
    def build(plan: Plan) -> Flask:
        app = plan.app()
        db = SQLAlchemy(app, model_class=base, **options) if base else SQLAlchemy(app, **options)
        return plan.with_optout(app, db)

    return build


class Base(DeclarativeBase):
    pass


class NoMeta(DeclarativeBaseNoMeta):
    pass


def dataclass_base(plan: Plan) -> Flask:
    if Version(version("SQLAlchemy")) >= Version("2.1"):
        pytest.skip("SQLAlchemy 2.1 refuses the dataclass base that Flask-SQLAlchemy 3.1 makes, with or without us")

    class Dataclass(MappedAsDataclass, DeclarativeBase):
        pass

    return model_class(Dataclass)(plan)


class Named(DeclarativeBase):
    metadata = sa.MetaData(naming_convention={"pk": "pk_%(table_name)s"})


HOSTS: dict[str, Build] = {
    "one app": Plan.plain,
    "an app factory, two apps, one db": factory,
    "Flask-WTF CSRFProtect before": csrf_before,
    "Flask-WTF CSRFProtect after": csrf_after,
    "Flask-Talisman": talisman,
    "Flask-Talisman with force_https": talisman_https,
    "a login wall that lets our pages through": open_wall,
    "a maintenance page that lets our pages through": maintenance,
    "ProxyFix with a prefix": proxy,
    "a proxy that strips a prefix and does not say so": silent_proxy,
    "APPLICATION_ROOT under a dispatcher": application_root,
    "OPTOUT_URL_PREFIX": url_prefix,
    "subdomain matching, on a subdomain": subdomain,
    "subdomain matching, on the server name": no_subdomain,
    "host matching": host_matching,
    "host matching with a port": host_matching_port,
    "strict_slashes off": loose_slashes,
    "a bind key": bind_key,
    "Flask-SQLAlchemy, its own base class": model_class(None),
    "Flask-SQLAlchemy, DeclarativeBase": model_class(Base),
    "Flask-SQLAlchemy, DeclarativeBaseNoMeta": model_class(NoMeta),
    "Flask-SQLAlchemy, MappedAsDataclass": dataclass_base,
    "Flask-SQLAlchemy, declarative_base()": model_class(declarative_base()),
    "Flask-SQLAlchemy, a naming convention": model_class(Named),
    "Flask-SQLAlchemy, disable_autonaming": model_class(Base, disable_autonaming=True),
    "Flask-SQLAlchemy-Lite": lite,
    "Flask-SQLAlchemy-Lite, another engine": lite_bind,
}
