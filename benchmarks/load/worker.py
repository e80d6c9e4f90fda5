"""Celery's own command for the host app: ``python -m benchmarks.load.worker worker``."""

from __future__ import annotations

import sys

from .host import from_environment

if __name__ == "__main__":
    from_environment().celery.start(sys.argv[1:])
