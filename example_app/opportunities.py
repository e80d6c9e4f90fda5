"""Whom the programme invites, and to what; a real app keeps both in its database."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Opportunity:
    """One beta test, with what Flask-OptOut's pages say about it: ``title``, ``summary`` and ``picture``."""

    id: str
    title: str
    summary: str
    task: str
    time: str
    reward: str

    @property
    def picture(self) -> str:
        # Not by url_for(), which knows no host in a command or a worker.
        return f"/static/{self.id}.svg"


OPPORTUNITIES = {
    each.id: each
    for each in (
        Opportunity(
            "camera",
            "Pocket Camera",
            "Take photographs with our new camera for two weeks, before anybody else does.",
            "Carry it wherever you go, and send us your ten best pictures and your three worst.",
            "Two weeks, ten minutes a day",
            "You keep the camera",
        ),
        Opportunity(
            "sleep",
            "Sleep Diary",
            "Wear a watch at night, and find out how you slept.",
            "Put it on when you go to bed, and write three lines each morning.",
            "Four weeks, five minutes a day",
            "Your own sleep report",
        ),
        Opportunity(
            "bread",
            "Bread Timer",
            "Bake three loaves with an app that watches the oven.",
            "Bake a white, a rye and a sourdough loaf, and tell us which of them burned.",
            "Three afternoons",
            "Flour for a year",
        ),
    )
}
CANDIDATES = {
    "jane": ("Jane Doe", "jane@example.org"),
    "kofi": ("Kofi Mensah", "kofi@example.com"),
    "zoe": ("Zoë Martin", "zoe@example.net"),
}
