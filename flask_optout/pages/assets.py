"""Our own files: where they stand, and how browsers cache them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request

#: Assets stand beside the package in a checkout and inside it when installed.
HOME = next(place for place in Path(__file__).parents[1:3] if (place / "templates").is_dir())
#: What changes in a file's URL when the file does.
VERSIONS = {
    file.name: hashlib.blake2b(file.read_bytes(), digest_size=6).hexdigest() for file in (HOME / "static").iterdir()
}
FOR_A_YEAR = "public, max-age=31536000, immutable"


def serve_assets(blueprint: Blueprint) -> None:
    """Put each file's version into its URL, and let browsers cache what carries it."""
    static = f"{blueprint.name}.static"

    @blueprint.url_defaults
    def put_version(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == static:
            values.setdefault("v", VERSIONS.get(values["filename"]))

    @blueprint.after_request
    def keep(response: Response) -> Response:
        if request.endpoint != static or response.status_code not in (200, 304):
            return response
        # While servers are brought up to date, one may be asked for the version of another: nobody keeps its answer.
        if request.args.get("v") == VERSIONS.get((request.view_args or {})["filename"]):
            response.headers["Cache-Control"] = FOR_A_YEAR
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
