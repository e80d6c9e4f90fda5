"""Sessions for development: ``nox --list`` shows them, ``nox -s lint`` runs one.

``nox --no-venv`` runs a session in the current environment and installs nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))
from tools.compatibility import floors  # noqa: E402

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
nox.options.sessions = ["tests", "lint", "types", "docs", "dist"]
nox.options.error_on_missing_interpreters = False


def install(session: nox.Session, *arguments: str) -> None:
    """Install into the session's environment, if it has one of its own."""
    if session.virtualenv.is_sandboxed:
        session.install(*arguments)


@nox.session(python=PYTHONS)
@nox.parametrize("versions", ["newest", "oldest"])
def tests(session: nox.Session, versions: str) -> None:
    """Run the tests with the newest or the oldest dependencies."""
    constraints = Path(session.create_tmp(), "constraints.txt")
    constraints.write_text("\n".join(floors() if versions == "oldest" else []))
    install(session, "-c", str(constraints), "-e", ".[integration]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and the import contract."""
    install(session, "-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")


@nox.session
def types(session: nox.Session) -> None:
    """Check types: ours, and what those who import the package see."""
    install(session, "-e", ".[integration,dev,benchmarks]")
    session.run("mypy")
    session.run("python", "-m", "tools.check_types")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the manual into build/docs."""
    install(session, "-e", ".[test,dev]")
    session.run("python", "-m", "sphinx", "-q", "-W", "--keep-going", "docs", "build/docs")


@nox.session
def dist(session: nox.Session) -> None:
    """Build wheel and sdist, and try them in a clean environment."""
    install(session, "-e", ".[test,dev]")
    session.run("python", "-m", "tools.check_dist")
