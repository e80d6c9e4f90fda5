"""``python -m example_app`` starts the example; each start begins anew, with a new key, no choices and no mails."""

import logging
import secrets
import socket
from tempfile import TemporaryDirectory

import click
from werkzeug.serving import make_server

from . import create_app
from .mailbox import MailServer

HOST = "127.0.0.1"


@click.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=5000, show_default=True, help="0 takes a free one.")
def main(port: int) -> None:
    """Start a beta-test programme to play with: web app, SQLite and mail server in one process."""
    try:
        web = socket.create_server((HOST, port))
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({error.strerror}). Give another one: python -m example_app --port 5001"
        ) from None
    # Windows cannot delete a file that SQLite still holds.
    with web, TemporaryDirectory(prefix="example_app-", ignore_cleanup_errors=True) as folder:
        port = web.getsockname()[1]
        url = f"http://{HOST}:{port}"
        app = create_app(
            MailServer(),
            SECRET_KEY=secrets.token_hex(),
            SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/example.db",
            OPTOUT_BASE_URL=url,
        )
        server = make_server(HOST, port, app, threaded=True, fd=web.fileno())
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # its pages ask for news each second
        click.echo(f"Open {url} in a browser; stop with Ctrl-C.")
        server.serve_forever()


if __name__ == "__main__":
    main()
