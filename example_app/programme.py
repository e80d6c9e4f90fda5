"""Whom the beta-test programme invites, and to what; a real app keeps both in its database."""

from flask_optout import Opportunity

OPPORTUNITIES = {
    "camera": Opportunity("Pocket Camera", "Take photographs with our new camera for two weeks."),
    "sleep": Opportunity("Sleep Diary", "Wear a watch at night and tell us how you slept."),
    "bread": Opportunity("Bread Timer", "Bake three loaves with an app that watches the oven."),
}
CANDIDATES = {
    "jane": ("Jane Doe", "jane@example.org"),
    "kofi": ("Kofi Mensah", "kofi@example.com"),
    "zoe": ("Zoë Martin", "zoe@example.net"),
}
