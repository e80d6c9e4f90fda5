"""What stands in front of an app, and spoils its doors: walls, limits, proxies; and what the doctor finds there."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, redirect, request

from flask_optout.doctor.doors import PROBE, PROBE_OPPORTUNITY, READER, Probe, check_doors
from flask_optout.doctor.finding import Finding
from flask_optout.links.tokens import Door
from flask_optout.wiring import current_state

#: What is found where nothing stands in front.
FINE = {"doors.page", "doors.headers", "doors.reading", "doors.one-click", "doors.cache"}


def tried() -> list[Finding]:
    """What the doctor finds at the doors of the app at hand."""
    state = current_state()
    probe, reader = (
        Probe(*(state.links.url(door, person, PROBE_OPPORTUNITY) for door in (Door.LANDING, Door.ONE_CLICK)))
        for person in (PROBE, READER)
    )
    email_log = probe.landing.rpartition("/")[0] + "/operator/"
    return list(check_doors(probe, reader, email_log if state.hooks.operator else None))


def login_wall(app: Flask) -> None:
    app.before_request(lambda: redirect("/login"))


def one_click_wall(app: Flask) -> None:
    app.before_request(
        lambda: redirect("/login") if request.method == "POST" and "one-click" in request.path else None
    )


def page_wall(app: Flask) -> None:
    app.before_request(
        lambda: ("No", 403) if (request.method, "one-click" in request.path) == ("POST", False) else None
    )


def multipart_wall(app: Flask) -> None:
    app.before_request(lambda: ("No", 403) if request.mimetype == "multipart/form-data" else None)


def csrf_check(app: Flask) -> None:
    app.before_request(lambda: ("Bad CSRF token", 400) if request.method == "POST" else None)


def maintenance(app: Flask) -> None:
    app.before_request(lambda: ("Back soon", 503))


def rate_limit(app: Flask) -> None:
    """Refuses what comes sooner than a moment after the request before, as nginx's limit_req does."""
    last = [0.0]

    def limit() -> tuple[str, int] | None:
        before, last[0] = last[0], time.monotonic()
        return ("Slow down", 503) if before and last[0] - before < 30 and request.method != "GET" else None

    app.before_request(limit)


def too_many(app: Flask) -> None:
    app.before_request(lambda: ("Too many", 429) if request.query_string else None)


def challenge(app: Flask) -> None:
    app.before_request(lambda: ("<title>Just a moment...</title>", 403, {"cf-mitigated": "challenge"}))


def broken(app: Flask) -> None:
    app.before_request(lambda: ("Oh no", 500))


def programs_kept_out(app: Flask) -> None:
    app.before_request(
        lambda: ("No bots", 403) if "Mozilla" not in str(request.user_agent) and request.method == "GET" else None
    )


def headers_set(*pairs: tuple[str, str]) -> Callable[[Flask], None]:
    """Adds headers beside those that are there, as a proxy does."""

    def spoil(app: Flask) -> None:
        def add(response: Response) -> Response:
            for name, value in pairs:
                response.headers.add(name, value)
            return response

        app.after_request(add)

    return spoil


def scripts(source: str) -> Callable[[Flask], None]:
    def spoil(app: Flask) -> None:
        def inject(response: Response) -> Response:
            if response.mimetype == "text/html":
                response.direct_passthrough = False
                response.set_data(
                    response.get_data(as_text=True).replace("</body>", f'<script src="{source}"></script></body>')
                )
            return response

        app.after_request(inject)

    return spoil


def another_page(app: Flask) -> None:
    app.before_request(lambda: "<h1>Sign in</h1>")


def cookies(app: Flask) -> None:
    def set_cookie(response: Response) -> Response:
        response.set_cookie("balancer", "1")
        return response

    app.after_request(set_cookie)


def other_headers(app: Flask) -> None:
    def set_headers(response: Response) -> Response:
        response.headers["Cache-Control"] = "max-age=300"
        response.headers["Content-Security-Policy"] = "require-trusted-types-for 'script'"
        return response

    app.after_request(set_headers)


def caching_proxy(app: Flask) -> None:
    inner, kept = app.wsgi_app, {}

    def proxy(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] != "GET":
            return inner(environ, start)
        if environ["PATH_INFO"] not in kept:
            said: list[Any] = []
            remember: Any = lambda *args: said.append(args)  # noqa: E731
            body = b"".join(inner(environ, remember))
            kept[environ["PATH_INFO"]] = said[0], body
        (status, headers), body = kept[environ["PATH_INFO"]]
        start(status, headers)
        return [body]

    app.wsgi_app = proxy  # type: ignore[assignment,method-assign]


def proxy_that_presses(app: Flask) -> None:
    """Turns whoever opens the one-click link into somebody who posts to it."""
    inner = app.wsgi_app

    def proxy(environ: dict[str, Any], start: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET" and "one-click" in environ["PATH_INFO"]:
            signal = b"List-Unsubscribe=One-Click"
            environ |= {
                "REQUEST_METHOD": "POST",
                "CONTENT_LENGTH": str(len(signal)),
                "CONTENT_TYPE": "application/x-www-form-urlencoded",
                "wsgi.input": io.BytesIO(signal),
            }
        return inner(environ, start)

    app.wsgi_app = proxy  # type: ignore[assignment,method-assign]
