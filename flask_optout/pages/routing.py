"""Where our pages stand in the host's URL map: under which prefix, and on which subdomain or host."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import Blueprint, Flask
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.routing import MapAdapter
from werkzeug.sansio.utils import get_host

from ..errors import ConfigurationError


class Place(NamedTuple):
    """The domain part of our routes in an app: where ``OPTOUT_BASE_URL`` leads, if the app tells domains apart."""

    subdomain: str | None
    host: str | None

    @classmethod
    def in_app(cls, app: Flask) -> Place:
        """Read it off the app's settings.

        :raises ConfigurationError: when the app matches hosts and nothing says which one is ours.
        """
        base = urlsplit(app.config["OPTOUT_BASE_URL"] or "")
        host = get_host(base.scheme, base.netloc.lower())
        if app.url_map.host_matching:
            if not host:
                raise ConfigurationError(
                    "OPTOUT_BASE_URL is not set in an app that matches hosts.",
                    "With host_matching each route belongs to a host, and links must lead to that of our pages.",
                    "Set OPTOUT_BASE_URL before init_app, such as 'https://jobs.example.org'.",
                )
            return cls(None, host)
        served = app.config["SERVER_NAME"] or ""
        if app.subdomain_matching and served and host.endswith(f".{served}"):
            return cls(host.removesuffix(f".{served}"), None)
        return cls(None, None)

    def register(self, app: Flask, blueprint: Blueprint, prefix: str) -> None:
        """Put a blueprint there."""
        app.register_blueprint(blueprint, url_prefix=prefix, subdomain=self.subdomain, host=self.host)

    def adapter(self, app: Flask) -> MapAdapter:
        """Builds paths of our routes, without the domain and without what the server mounts the app under."""
        return app.url_map.bind(self.host or "", subdomain=self.subdomain, script_name="/")


class PlacedBlueprint(Blueprint):
    """A blueprint that can be registered on a host."""

    def make_setup_state(self, app: Any, options: dict[str, Any], first_registration: bool = False) -> _SetupState:
        return _SetupState(self, app, options, first_registration)


class _SetupState(BlueprintSetupState):
    def add_url_rule(self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any) -> None:
        super().add_url_rule(rule, endpoint, view_func, **{**options, "host": self.options.get("host")})
