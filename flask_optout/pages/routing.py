"""Where our pages stand: on which subdomain or host, and at which URLs browsers reach them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from flask import Blueprint, Flask, current_app, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BaseConverter, Map, MapAdapter
from werkzeug.sansio.utils import get_host

#: Templates and static files stand beside the package in a checkout and inside it when installed.
HOME = next(place for place in Path(__file__).parents[1:3] if (place / "templates").is_dir())
#: What changes in a file's URL when the file does, so that browsers may keep it.
VERSIONS = {
    file.name: hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest() for file in (HOME / "static").iterdir()
}
#: The field of a URL that says what the press before it did.
RECEIPT = "optout"


class AnyToken(BaseConverter):
    """Matches whatever follows a door, so that every bad link below it gets the one page for bad links.

    But not the operator pages: where they are not, too, the app answers as to any unknown URL.
    """

    regex = r"(?!operator(?:/|\Z))(?s:.*)"
    part_isolating = False


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

    def register(self, app: Flask, blueprint: Blueprint, prefix: str, build_only: bool = False) -> None:
        """Put a blueprint there.

        :param build_only: whether the app only builds its URLs, and answers none of them.
        """
        app.url_map.converters["optout_token"] = AnyToken
        options: dict[str, Any] = {"subdomain": self.subdomain, "host": self.host, "build_only": build_only}
        app.register_blueprint(blueprint, url_prefix=prefix, **options)

    def register_hidden(self, app: Flask, blueprint: Blueprint, prefix: str, admit: Callable[[], bool]) -> None:
        """Put a blueprint there for some; everybody else gets the app's answer without it.

        The app's map of URLs, its error handlers and whatever looks at an endpoint have nothing to tell.

        :param admit: whether this request may see a page; it is asked when the app's own functions before the request
            have seen an unknown URL, and loaded its user.
        """
        self.register(app, blueprint, prefix, build_only=True)
        pages = Map(host_matching=app.url_map.host_matching)
        for rule in [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith(f"{blueprint.name}.")]:
            page: Any = rule.empty()
            page.build_only, page.provide_automatic_options = False, rule.provide_automatic_options  # type: ignore[attr-defined]
            pages.add(page)
        preprocess: Any = app.preprocess_request

        def preprocess_request(*args: Any) -> Any:
            answer = preprocess(*args)
            # A look at the path first: every request of the app comes by here.
            if answer is None and prefix in request.path and _routed(app, pages, admit):
                for before_request in app.before_request_funcs[blueprint.name]:  # which Flask has passed by
                    before_request()
            return answer

        app.preprocess_request = preprocess_request  # type: ignore[method-assign]


def _routed(app: Flask, pages: Map, admit: Callable[[], bool]) -> bool:
    """Route the request to a page, if it asks for one and may see it."""
    adapter: Any = app.create_url_adapter(request)
    adapter.map = pages
    rule, values, exception = None, None, None
    try:
        rule, values = adapter.match(return_rule=True)
    except NotFound:
        return False
    except HTTPException as error:  # such as of a method
        exception = error
    if not admit():
        return False
    request.url_rule, request.view_args, request.routing_exception = rule, values, exception
    return True


def optout_url(endpoint: str, **values: Any) -> str:
    """The URL of a page or file of ours, as pages name it: its path, below that of ``OPTOUT_BASE_URL``.

    It is absolute on a page of the host's where the app tells domains apart, as that page may stand on another one.
    """
    place: Place = current_app.extensions["optout"].place
    current_app.inject_url_defaults(endpoint, values)
    if endpoint == "optout.static":
        values["v"] = VERSIONS.get(values["filename"])
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
