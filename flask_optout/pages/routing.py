"""Where our pages are: on which subdomain or host, and at which URLs browsers reach them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from inspect import signature, unwrap
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, make_response, redirect, request
from flask.sansio.blueprints import BlueprintSetupState
from jinja2 import Environment, FileSystemLoader
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BaseConverter, Map, MapAdapter, Rule
from werkzeug.sansio.utils import get_host
from werkzeug.wrappers import Response as BaseResponse

from ..links.log_records import log

#: Templates and static files are beside the package in a checkout and inside it when installed.
HOME = next(place for place in Path(__file__).parents[1:3] if (place / "templates").is_dir())
#: A digest of each static file, as part of its URL.
VERSIONS = {
    file.name: hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest() for file in (HOME / "static").iterdir()
}


class AnyToken(BaseConverter):
    """Matches any path below a door, so that every bad link gets the one page for bad links.

    The operator's pages are excluded, so that the app answers there as for any unknown URL.
    """

    regex = r"(?!operator(?:/|\Z))(?s:.*)"
    part_isolating = False


@dataclass(frozen=True)
class Place:
    """Where our pages are, by ``OPTOUT_BASE_URL``; ``origin`` is that URL without its path.

    ``subdomain`` and ``host`` restrict our routes, if the app routes by domain. ``adapter`` builds our paths from the
    base URL, as a proxy that strips a prefix may not set the request's SCRIPT_NAME.
    """

    subdomain: str | None
    host: str | None
    origin: str
    adapter: MapAdapter

    @classmethod
    def in_app(cls, app: Flask) -> Place:
        """Derive the place from the app's settings."""
        url = str(app.config["OPTOUT_BASE_URL"]).rstrip("/")
        base = urlsplit(url)
        domain = get_host(base.scheme, base.netloc.lower())
        host = domain if app.url_map.host_matching else None
        served = f".{app.config['SERVER_NAME']}" if app.config["SERVER_NAME"] and app.subdomain_matching else None
        subdomain = domain.removesuffix(served) if not host and served and domain.endswith(served) else None
        adapter = app.url_map.bind(host or "", subdomain=subdomain, script_name=base.path or "/")
        return cls(subdomain, host, url.removesuffix(base.path), adapter)

    @cached_property
    def files(self) -> dict[str, str]:
        """The path of each static file, which changes with the file, so that browsers may cache it."""
        return {
            name: self.adapter.build("optout.static", {"filename": name, "v": version})
            for name, version in VERSIONS.items()
        }

    def find_rule(self, view: Callable[..., Any]) -> Rule | None:
        """Return the first rule of a view of the app, if it has one."""
        return self._rules.get(id(unwrap(view)))

    @cached_property
    def _rules(self) -> dict[int, Rule]:
        """The first rule of each view of the app, by the id of the view without its decorators."""
        views, rules = current_app.view_functions, [*self.adapter.map.iter_rules()]
        return {id(unwrap(views[rule.endpoint])): rule for rule in reversed(rules) if rule.endpoint in views}

    def register(self, app: Flask, blueprint: Blueprint, prefix: str, build_only: bool = False) -> None:
        """Register a blueprint here; with ``build_only``, the app builds its URLs but does not serve them."""
        app.url_map.converters["optout_token"] = AnyToken
        options: dict[str, Any] = {"subdomain": self.subdomain, "host": self.host, "build_only": build_only}
        app.register_blueprint(blueprint, url_prefix=prefix, **options)

    def register_hidden(self, app: Flask, blueprint: Blueprint, prefix: str, admit: Callable[[], bool]) -> None:
        """Register a blueprint here for some visitors; everybody else gets the app's response without it.

        ``admit`` returns whether this request may see a page. It is called after the app's before_request functions,
        which may load the user. Neither these nor the URL map nor the error handlers reveal the blueprint.
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
            # First a cheap look at the path, as every request of the app comes by here.
            if answer is None and prefix in request.path and _route(app, pages, admit):
                for before_request in app.before_request_funcs[blueprint.name]:  # Flask has skipped these
                    before_request()
            return answer

        app.preprocess_request = preprocess_request  # type: ignore[method-assign]


def _route(app: Flask, pages: Map, admit: Callable[[], bool]) -> bool:
    """Route the request to a page, if it asks for one and may see it; return whether it did."""
    adapter: Any = app.create_url_adapter(request)
    adapter.map = pages
    rule, values, exception = None, None, None
    try:
        rule, values = adapter.match(return_rule=True)
    except NotFound:
        return False
    except HTTPException as error:  # such as a wrong method
        exception = error
    if not admit():
        return False
    request.url_rule, request.view_args, request.routing_exception = rule, values, exception
    return True


def render_hosts_page(view: Callable[[str], Any], id: str) -> Response | None:
    """Return the host's own page for an opportunity, if it has one; an error in it never breaks a link.

    Meanwhile ``request.url_rule`` is the one of that page, on which its blueprint's templates may rely.
    """
    ours, place = (request.url_rule, request.view_args), current_app.extensions["optout"].place
    rule = place.find_rule(view)
    try:
        if rule is not None:
            request.url_rule, request.view_args = rule, {next(iter(signature(view).parameters)): id}
        answer = current_app.ensure_sync(view)(id)
        if answer is not None and (response := make_response(answer)).status_code == 200:
            response.make_sequence()  # a streamed page may still fail
            return response
    except HTTPException:  # such as get_or_404 for an opportunity that is gone
        pass
    except Exception:
        failed = "The landing page failed; the candidate sees the page of Flask-OptOut."
        log(current_app.logger, logging.ERROR, "landing_page_failed", failed, exc_info=True)
    finally:
        request.url_rule, request.view_args = ours
    return None


def add_capitals_rule(setup: BlueprintSetupState) -> None:
    """Redirect a link in capitals, as printed QR codes have it, to its lower-case URL."""
    prefix = str(setup.url_prefix)
    if prefix.upper() != prefix:
        place = {name: setup.options[name] for name in ("host", "subdomain")}
        setup.app.add_url_rule(
            f"{prefix.upper()}/<optout_token:token>", "optout.capitals", _redirect_to_lower_case, **place
        )


def _redirect_to_lower_case(token: str) -> BaseResponse:
    place: Place = current_app.extensions["optout"].place
    return redirect(place.adapter.build("optout.landing", {"token": token.lower()}))


class OwnTemplates(FileSystemLoader):
    """Our templates, with the delimiters of the host's Jinja, which may differ from the standard ones."""

    def get_source(self, environment: Environment, template: str) -> Any:
        source, *others = super().get_source(environment, template)
        for kind, (start, end) in {"block": ("{%", "%}"), "variable": ("{{", "}}"), "comment": ("{#", "#}")}.items():
            source = source.replace(start, getattr(environment, f"{kind}_start_string"))
            source = source.replace(end, getattr(environment, f"{kind}_end_string"))
        return source, *others


class PlacedBlueprint(Blueprint):
    """A blueprint that can be registered on a host."""

    def make_setup_state(self, app: Any, options: dict[str, Any], first_registration: bool = False) -> _SetupState:
        return _SetupState(self, app, options, first_registration)


class _SetupState(BlueprintSetupState):
    def add_url_rule(self, rule: str, endpoint: str | None = None, view_func: Any = None, **options: Any) -> None:
        own = {name: self.options[name] for name in ("host", "build_only")}
        super().add_url_rule(rule, endpoint, view_func, **{**options, **own})
