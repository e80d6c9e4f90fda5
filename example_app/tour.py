"""The guided tour beside every page: it ticks off the steps as the visitor takes them.

Here one visitor plays the operator and the candidate by turns, so the tour may know both sides: it looks into the
example's own mailboxes and asks what the candidate said. In a real app that would tell an operator who opted out.
"""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, g, redirect, render_template, request, url_for
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response as BaseResponse

from .extensions import optout
from .mailbox import mail_server
from .opportunities import CANDIDATES, OPPORTUNITIES

pages = Blueprint("tour", __name__)


@dataclass(frozen=True)
class Step:
    """What happens in it, what is to be done, what there was to see, and where to go for it.

    ``who`` and ``what`` in braces are the candidate and the opportunity.
    """

    event: str
    todo: str
    seen: str
    place: str


STEPS = (
    Step(
        "arrived",
        "You are the operator. Invite {who} to {what}.",
        "The mail is in the mailbox of {who}.",
        "invitations",
    ),
    Step(
        "opened",
        "Now you are {who}. Open the mail, and follow its button.",
        "Opening the link changed nothing: mail scanners open every link, and must opt nobody out.",
        "mailbox",
    ),
    Step(
        "muted",
        "Below the invitation, press “Not Interested?”.",
        "No further invitation to {what} will reach {who}. Nobody else can see that.",
        "mailbox",
    ),
    Step(
        "dropped",
        "The operator does not know. Invite {who} to {what} again.",
        "“Invitation accepted”, as before, and nothing arrived.",
        "invitations",
    ),
    Step(
        "undone",
        "{who} thinks again. Open the link in the old mail, if need be “Changed your mind?”, and press "
        "“I've changed my mind.”",
        "{who} can be invited again, and the page shows the invitation.",
        "mailbox",
    ),
    Step("arrived", "Invite {who} to {what} once more.", "This time the invitation arrived.", "invitations"),
    Step(
        "lost",
        "Suppose that {who} loses the link: delete all mails in the mailbox.",
        "Without a mail there is no link.",
        "mailbox",
    ),
    Step(
        "found",
        "The operator helps. Find the invitation in the Email Log, where it appears when its minute is over, "
        "and send it again or copy its URL. "
        "Or {who} asks alone, with “Lost your invitation?” at the foot of the page.",
        "The link is back, and the operator has learned nothing about any choice.",
        "log",
    ),
)


@dataclass
class Tour:
    """How far the visitor has come, with the first candidate that they invited to something."""

    done: int = 0
    candidate: str = "jane"
    opportunity: str = "camera"

    @property
    def address(self) -> str:
        return CANDIDATES[self.candidate][1]

    def text(self, template: str) -> str:
        """A step's words about this candidate and this opportunity."""
        return template.format(who=CANDIDATES[self.candidate][0], what=f"the {OPPORTUNITIES[self.opportunity].title}")

    def happened(self, event: str) -> None:
        """Go on if this is what the story waits for."""
        if self.done < len(STEPS) and STEPS[self.done].event == event:
            self.done += 1


@pages.record_once
def begin(state: BlueprintSetupState) -> None:
    state.app.extensions["tour"] = Tour()


@pages.app_context_processor
def show() -> dict[str, Any]:
    return {"tour": current_app.extensions["tour"], "steps": STEPS}


@pages.before_app_request
def look_at_mailbox() -> None:
    """See what the candidate opens, and whether any mail is left."""
    tour: Tour = current_app.extensions["tour"]
    g.mails = len(mail_server().mails)
    if request.base_url == optout.link(tour.address, tour.opportunity):
        tour.happened("opened")
    tour.happened("found" if any(not mail.deleted for mail in mail_server().to(tour.address)) else "lost")


@pages.after_app_request
def look_at_press(response: Response) -> Response:
    """See what an invitation or a press of the candidate led to."""
    tour: Tour = current_app.extensions["tour"]
    if request.endpoint == "programme.invite" and response.status_code == 303:
        invited = request.form["candidate"], (request.view_args or {})["id"]
        if not tour.done:
            tour.candidate, tour.opportunity = invited
        if invited == (tour.candidate, tour.opportunity):
            tour.happened("arrived" if len(mail_server().mails) > g.mails else "dropped")
    if request.blueprint == "optout" and request.method == "POST":
        tour.happened("undone" if optout.may_invite(tour.address, tour.opportunity) else "muted")
    return response


@pages.get("/tour")
def steps() -> str | tuple[str, int]:
    """The tour alone, for a page that shows it with so many steps ``done``."""
    if request.args.get("done", type=int) == current_app.extensions["tour"].done:
        return "", 204
    return render_template("_tour.html")


@pages.post("/tour/restart")
def restart() -> BaseResponse:
    """Begin anew; mails and choices stay."""
    current_app.extensions["tour"] = Tour()
    return redirect(url_for("programme.invitations"), 303)
