"""Build wheel and sdist and try them in a clean environment: ``python -m tools.check_dist``.

The wheel must hold the package with its assets and nothing else, the sdist the tests and the example too. Installed
into an empty environment, the wheel must send with the standard library alone; then, with Flask-Mail, show the page
and serve htmx and the stylesheet; and then pass tests/integration/docs/test_adoption.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = """
from importlib.util import find_spec
from pathlib import Path
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_optout import OptOut
from flask_optout.mailers.stdlib import Invitation

assert not any(map(find_spec, ("flask_mail", "flask_mailman", "aiosmtpd"))), "an extra came unasked"
app = Flask(__name__, instance_path=str(Path.cwd()))
app.config.update(SECRET_KEY="k" * 32, SQLALCHEMY_DATABASE_URI="sqlite:///core.db", OPTOUT_BASE_URL="https://x.example")
db = SQLAlchemy(app)
optout = OptOut(db, app)
invitation = Invitation(opportunity="beta-42")
invitation["From"], invitation["To"], invitation["Subject"] = "team@example.org", "jane@example.org", "Join us"
invitation.set_content("Come.")
with app.app_context():
    db.create_all()
    left = []
    optout.send_invitations([invitation], left.append)
    [cleared] = left
    assert "List-Unsubscribe: <https://x.example/optout/one-click/" in str(cleared)
"""
TRIAL = """
from pathlib import Path
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
import flask_optout
from flask_optout import OptOut
from flask_optout.mailers.flask_mail import Invitation, Mail
from flask_optout.testing import mute

assert "site-packages" in flask_optout.__file__, flask_optout.__file__
app = Flask(__name__, instance_path=str(Path.cwd()))
app.config.update(SECRET_KEY="k" * 32, SQLALCHEMY_DATABASE_URI="sqlite:///trial.db", TESTING=True,
                  OPTOUT_BASE_URL="https://x.example", MAIL_DEFAULT_SENDER="team@example.org")
db = SQLAlchemy(app)
optout = OptOut(db, app)
mail = Mail(app)
client = app.test_client()
with app.app_context(), mail.record_messages() as outbox:
    db.create_all()
    path = optout.link("jane@example.org", "beta-42").removeprefix("https://x.example")
    page = client.get(path)
    assert page.status_code == 200 and "Not Interested?" in page.text
    for name in ("htmx.min.js", "optout.css"):
        with client.get(f"/optout/static/{name}") as asset:
            assert asset.status_code == 200, name
    for _ in range(2):
        mail.send(Invitation("Join us", recipients=["jane@example.org"], body="Come.", opportunity="beta-42"))
        mute("jane@example.org", "beta-42")
    assert len(outbox) == 1
"""


def main() -> None:
    """Build, check the contents, install, try; any failure ends the run."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        subprocess.run([sys.executable, "-m", "build", "--outdir", out, ROOT], check=True, stdout=sys.stderr)
        [wheel], [sdist] = out.glob("*.whl"), out.glob("*.tar.gz")
        expect(names_in_wheel(wheel), assets("flask_optout/"), "the wheel")
        strangers = {
            name for name in names_in_wheel(wheel) if not name.startswith(("flask_optout/", "flask_optout-"))
        }
        if strangers:
            raise SystemExit(f"The wheel holds what is not the package: {sorted(strangers)}")
        expect(names_in_sdist(sdist), assets("") | tracked("tests") | tracked("example_app"), "the sdist")
        for tool, *arguments in (
            ["check-wheel-contents", str(wheel)],
            ["twine", "check", "--strict", str(wheel), str(sdist)],
        ):
            subprocess.run([Path(sys.executable).parent / tool, *arguments], check=True)
        venv.create(out / "clean", with_pip=True)
        python = out / "clean" / "bin" / "python"
        for requirement, trial in ((str(wheel), CORE), (f"{wheel}[mail]", TRIAL)):
            subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True)
            subprocess.run([python, "-W", "error", "-c", trial], check=True, cwd=folder)
        walk(python)
    print(f"{wheel.name} and {sdist.name} are whole; the wheel works in a clean environment.")


def walk(python: Path) -> None:
    """Follow the tutorial with the wheel, in its environment."""
    subprocess.run([python, "-m", "pip", "install", "--quiet", "pytest", "aiosmtpd"], check=True)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-m",
        "long",
        "tests/integration/docs/test_adoption.py",
    ]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "OPTOUT_ADOPTER": str(python)})


def names_in_wheel(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def names_in_sdist(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def tracked(folder: str) -> set[str]:
    listed = subprocess.run(["git", "ls-files", folder], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(listed.stdout.split())


def assets(prefix: str) -> set[str]:
    beside = {prefix + name for folder in ("static", "templates") for name in tracked(folder)}
    return beside | tracked("flask_optout")


def expect(found: set[str], wanted: set[str], where: str) -> None:
    if wanted - found:
        raise SystemExit(f"Missing in {where}: {sorted(wanted - found)}")


if __name__ == "__main__":
    main()
