"""The manual as a site: ``python -m sphinx -W docs build/docs``."""

from importlib.metadata import version as version_of

project = "Flask-OptOut"
copyright = "the authors of Flask-OptOut"
version = release = version_of("Flask-OptOut")
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"Flask-OptOut {release}"
html_show_sphinx = False
