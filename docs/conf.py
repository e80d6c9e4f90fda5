"""The manual as a site: ``python -m sphinx -W docs build/docs``."""

import re
from importlib.metadata import version as version_of

project = "Flask-OptOut"
copyright = "the authors of Flask-OptOut"
version = release = version_of("Flask-OptOut")
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"Flask-OptOut {release}"
html_show_sphinx = False


def contents(app, name, source):
    """Make the site's table of contents from the lists of links by which a reader of the repository goes on."""
    if name == "index":
        source[0] = re.sub(r"^## (.*)\n\n((?:- .*\n)+)", _toctree, source[0], flags=re.MULTILINE)


def _toctree(found):
    pages = re.findall(r"\((\S+)\.md\)", found[2])
    return "\n".join(["```{toctree}", f":caption: {found[1]}", ":maxdepth: 1", "", *pages, "```", ""])


def setup(app):
    app.connect("source-read", contents)
