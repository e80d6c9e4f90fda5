"""django-ses: one blacklist for all mail. It knows no opportunities, so it holds the mutes of this one alone."""

from __future__ import annotations

from collections.abc import Callable

from .child import serve, set_up_django
from .task import Task


def start(task: Task) -> Callable[[], list[str]]:
    set_up_django(task, "django_ses")
    from django_ses.models import BlacklistedEmail
    from django_ses.utils import filter_blacklisted_recipients

    BlacklistedEmail.objects.bulk_create([BlacklistedEmail(email=address) for address in task.muted], 10_000)
    return lambda: list(filter_blacklisted_recipients(task.asked))


if __name__ == "__main__":
    serve(start, "django-ses", "Django")
