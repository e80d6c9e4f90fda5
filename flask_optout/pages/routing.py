"""Where our pages stand: on which subdomain or host, and at which URLs browsers reach them."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from flask import Blueprint, Flask, current_app, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.routing import MapAdapter
from werkzeug.sansio.utils import get_host

#: The field of a URL that says what the press before it did.
RECEIPT = "optout"


class Place(NamedTuple):
    """Where ``OPTOUT_BASE_URL`` leads.

    ``subdomain`` and ``host`` are the domain part of our routes, if the app tells domains apart. ``origin`` is the
    base URL up to its path. ``adapter`` builds paths of our pages, that of the base URL included; what the server
    mounts the app under is left out, as a proxy that strips a prefix need not tell of it.
    """

    subdomain: str | None
    host: str | None
    origin: str
    adapter: MapAdapter

    @classmethod
    def in_app(cls, app: Flask) -> Place:
        """Read it off the app's settings."""
        url = str(app.config["OPTOUT_BASE_URL"]).rstrip("/")
        base = urlsplit(url)
        host = get_host(base.scheme, base.netloc.lower())
        origin, script = url.removesuffix(base.path), base.path or "/"
        if app.url_map.host_matching:
            return cls(None, host, origin, app.url_map.bind(host, script_name=script))
        served = app.config["SERVER_NAME"] or ""
        if app.subdomain_matching and served and host.endswith(f".{served}"):
            subdomain = host.removesuffix(f".{served}")
            return cls(subdomain, None, origin, app.url_map.bind("", subdomain=subdomain, script_name=script))
        return cls(None, None, origin, app.url_map.bind("", script_name=script))

    def register(self, app: Flask, blueprint: Blueprint, prefix: str, hidden: bool = False) -> None:
        """Put a blueprint there.

        :param hidden: whether the app only builds its URLs, and answers none of them.
        """
        options: dict[str, Any] = {"subdomain": self.subdomain, "host": self.host, "build_only": hidden}
        app.register_blueprint(blueprint, url_prefix=prefix, **options)


def optout_url(endpoint: str, **values: Any) -> str:
    """The URL of a page or file of ours, as pages name it: its path, below that of ``OPTOUT_BASE_URL``.

    It is absolute on a page of the host's where the app tells domains apart, as that page may stand on another one.
    """
    place: Place = current_app.extensions["optout"].place
    current_app.inject_url_defaults(endpoint, values)
    path = place.adapter.build(endpoint, values)
    if place.host is None and place.subdomain is None:
        return path
    ours = isinstance(current_app.blueprints.get(request.blueprint or ""), PlacedBlueprint)
    return path if ours else place.origin + path


def here() -> str:
    """The URL of the page that is being answered, as pages name it; empty where no form can come back to it."""
    if request.method not in ("GET", "HEAD"):
        return ""
    place: Place = current_app.extensions["optout"].place
    apart = place.host is not None or place.subdomain is not None
    url = request.base_url if apart else place.adapter.script_name.rstrip("/") + quote(request.path)
    return with_query(url, [pair for pair in request.args.items(multi=True) if pair[0] != RECEIPT])


def with_query(url: str, fields: list[tuple[str, str]]) -> str:
    """A URL with more fields in its query."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}" if fields else url


class PlacedBlueprint(Blueprint):
    """A blueprint that can be registered on a host."""

    def make_setup_state(self, app: Any, options: dict[str, Any], first_registration: bool = False) -> _SetupState:
        return _SetupState(self, app, options, first_registration)


class _SetupState(BlueprintSetupState):
    def add_url_rule(self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any) -> None:
        own = {name: self.options[name] for name in ("host", "build_only")}
        super().add_url_rule(rule, endpoint, view_func, **{**options, **own})
