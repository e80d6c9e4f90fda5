"""django-newsletter: an opportunity is a newsletter, and a mute is a subscription that was ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

from .child import serve, set_up_django
from .task import OTHERS, Task


def start(task: Task) -> Callable[[], list[str]]:
    apps = ("django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sites", "newsletter")
    set_up_django(task, *apps, SITE_ID=1, NEWSLETTER_THUMBNAIL="sorl-thumbnail", NEWSLETTER_USE_HTTPS=True)
    from newsletter.models import Newsletter, Subscription

    names = [task.opportunity, *(f"other-{number}" for number in range(OTHERS))]
    newsletters = {name: Newsletter.objects.create(title=name, slug=name, email="a@example.org") for name in names}
    rows = _subscriptions(task, newsletters, Subscription)
    while part := list(islice(rows, 10_000)):
        Subscription.objects.bulk_create(part)
    newsletter = newsletters[task.opportunity]
    return lambda: [subscription.email for subscription in newsletter.get_subscriptions()]


def _subscriptions(task: Task, newsletters: dict[str, Any], subscription: Any) -> Iterator[Any]:
    here = newsletters[task.opportunity]
    # Made one by one, the codes of a million rows take longer than all the rest; no question reads them.
    make = partial(subscription, activation_code="c" * 40)
    people = list(task.people())
    for address, muted in people:
        yield make(email_field=address, newsletter=here, subscribed=not muted, unsubscribed=muted)
    for about, address in task.others(len(people)):
        yield make(email_field=address, newsletter=newsletters[about], subscribed=False, unsubscribed=True)


if __name__ == "__main__":
    serve(start, "django-newsletter", "Django")
