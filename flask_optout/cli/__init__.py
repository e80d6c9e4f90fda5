"""The ``flask optout`` commands."""
