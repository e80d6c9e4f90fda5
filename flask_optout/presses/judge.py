"""Was this press a person's? Pure functions of the evidence: no request, no store, no clock.

Scanners open links and sometimes press what they find. Each layer below knows one thing that no person does; together
they decide whether a press is obeyed, asked for once more, or taken as half of a contradiction. Evidence only ever
counts against a press: what a browser does not say is no reason to doubt it, and no press is refused for good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import NamedTuple

from .bursts import Command, Muted, Press

#: Seconds below which no person has read a page and pressed a button on it.
HURRY = 0.4
#: Seconds for which nothing is sent after a doubtful press to mute.
HOLD = 15 * 60.0
#: Seconds within which, and recipients of one mail domain from which on, opt-outs look like a scanner's.
COHORT_WINDOW = 5 * 60.0
COHORT = 3


class Page(Enum):
    """Which page a press came from: one that was opened, the result of a press, or the plea to press once more."""

    OPENED = 0
    RESULT = 1
    REPEAT = 2


class Scripts(StrEnum):
    """What the page's own script tells: nothing, that scripts run, or that the browser itself clicked."""

    SILENT = ""
    RAN = "ran"
    TRUSTED = "trusted"


class Client(StrEnum):
    """What a browser says it is, as far as it matters: which of them send ``Sec-Fetch-User``."""

    MODERN = "modern"
    SCANNER = "scanner"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known about one press.

    :param pressed: whether the form came with a button of ours; without one, ``command`` is what the page is for.
    :param page: the page it came from, ``None`` when its nonce is missing, outdated or another link's.
    :param elapsed: seconds since that page was made, or was in sight.
    :param muted: what stands just before it.
    :param burst: the recent presses that make one burst with it.
    :param asked: when the page asked for it once more, if it did, in seconds since the epoch.
    :param secure: whether the browser reached us in a way in which it sends ``Sec-Fetch-*``.
    """

    command: Command
    pressed: bool = True
    page: Page | None = Page.OPENED
    elapsed: float = 60.0
    muted: Muted = (False, False)
    burst: tuple[Press, ...] = ()
    asked: float = 0.0
    scripts: Scripts = Scripts.SILENT
    htmx: bool = False
    client: Client = Client.OTHER
    secure: bool = True
    fetch_site: str = ""
    fetch_mode: str = ""
    fetch_user: bool = False
    prefetch: bool = False

    @property
    def changes(self) -> bool:
        """Whether obeying it would change a choice."""
        return self.command.muted is not None and self.command.muted is not self.muted[self.command.target]

    @property
    def opposable(self) -> tuple[Press, ...]:
        """The presses of its burst that it may contradict: those before the page asked have been asked about."""
        return tuple(press for press in self.burst if press.at >= self.asked)

    @property
    def before(self) -> Muted:
        """What stood before its burst."""
        return self.opposable[0].before if self.opposable else self.muted

    @property
    def ran_scripts(self) -> bool:
        return self.htmx or self.scripts is not Scripts.SILENT or self.fetch_mode not in ("", "navigate")


class Verdict(StrEnum):
    """What to do with a press: obey it, ask for it once more, restore what stood before the burst, or nothing."""

    ACCEPT = "accept"
    ASK = "ask"
    RESTORE = "restore"
    SHOW = "show"


class Judgement(NamedTuple):
    """A verdict, the layer that gave it and why; whether sends are held, and whether it counts towards a cohort."""

    verdict: Verdict
    cause: str = ""
    holds: bool = False
    counts: bool = False


class Layer(NamedTuple):
    """One thing that tells a scanner from a person.

    :param objects: gives a verdict and its cause, or ``None`` where this layer has nothing against the press.
    """

    name: str
    objects: Callable[[Evidence], tuple[Verdict, str] | None] = lambda evidence: None


def _submitter(evidence: Evidence) -> tuple[Verdict, str] | None:
    """L1: the decision is in the button, so a form that a script sends without one says nothing."""
    return None if evidence.pressed else (Verdict.SHOW, "no button")


def _nonce(evidence: Evidence) -> tuple[Verdict, str] | None:
    """L2: a press comes from a page that was looked at."""
    return _doubt(evidence, "no page") if evidence.page is None else None


def _decoy(evidence: Evidence) -> tuple[Verdict, str] | None:
    """L4: no person sees or reaches the decoy, so its press marks a burst, whatever else is pressed in it."""
    pressed = {evidence.command, *(press.command for press in evidence.opposable)}
    return (Verdict.RESTORE, "decoy") if Command.DECOY in pressed else None


def _negative(evidence: Evidence) -> tuple[Verdict, str] | None:
    """L5: what a person's press never looks like; each cause asks for a second press and none refuses it."""
    forgiven = FORGIVEN if evidence.page is Page.REPEAT else ()
    cause = next((name for name, holds in CAUSES.items() if holds(evidence) and name not in forgiven), None)
    return None if cause is None else _doubt(evidence, cause)


def _contradiction(evidence: Evidence) -> tuple[Verdict, str] | None:
    """L3: opposite presses in a burst restore what stood before it, both ways."""
    opposed = any(evidence.command.contradicts(press.command) for press in evidence.opposable)
    return (Verdict.RESTORE, "contradiction") if opposed else None


def _later_undo(evidence: Evidence) -> tuple[Verdict, str] | None:
    """L9: to undo on a later visit wants the browser's word for the press, or a second one.

    Whoever presses the only big button on every page would otherwise invite again those who said no.
    """
    stands = evidence.command.muted is False and evidence.changes
    sure = evidence.fetch_user or evidence.scripts is Scripts.TRUSTED
    if not stands or sure or evidence.page in (Page.RESULT, Page.REPEAT):
        return None
    return Verdict.ASK, "later undo"


def _untrusted(evidence: Evidence) -> bool:
    return evidence.ran_scripts and evidence.scripts is not Scripts.TRUSTED


def _no_gesture(evidence: Evidence) -> bool:
    navigates = evidence.client is Client.MODERN and evidence.fetch_mode == "navigate"
    return navigates and not evidence.fetch_user and evidence.scripts is not Scripts.TRUSTED


def _no_metadata(evidence: Evidence) -> bool:
    silent = not (evidence.fetch_site or evidence.fetch_mode or evidence.fetch_user)
    modern = evidence.client is Client.MODERN and evidence.secure
    return modern and silent and evidence.scripts is not Scripts.TRUSTED


#: What a person's press never looks like, by name. Safari, text browsers and old browsers send none of these signals.
CAUSES: dict[str, Callable[[Evidence], bool]] = {
    "untrusted click": _untrusted,
    "no gesture": _no_gesture,
    "no fetch metadata": _no_metadata,
    "scanner": lambda evidence: evidence.client is Client.SCANNER,
    "prefetch": lambda evidence: evidence.prefetch,
    "another site": lambda evidence: evidence.fetch_site not in ("", "same-origin"),
    "hurry": lambda evidence: 0 <= evidence.elapsed < HURRY,  # below 0, another server's clock made the page
}
#: What a person cannot mend by pressing again (their proxy strips headers, say), and so does not count twice.
FORGIVEN = {"no fetch metadata", "scanner", "prefetch", "another site"}

SUBMITTER = Layer("L1 submitter", _submitter)
NONCE = Layer("L2 page nonce", _nonce)
CONTRADICTION = Layer("L3 contradiction", _contradiction)
DECOY = Layer("L4 decoy", _decoy)
NEGATIVE = Layer("L5 negative evidence", _negative)
HOLD_SENDS = Layer("L7 hold")
COHORT_ALARM = Layer("L8 cohort alarm")
LATER_UNDO = Layer("L9 later undo", _later_undo)
#: In the order in which they are asked.
LAYERS = (SUBMITTER, NONCE, NEGATIVE, DECOY, CONTRADICTION, LATER_UNDO, HOLD_SENDS, COHORT_ALARM)


def judge(evidence: Evidence, layers: Sequence[Layer] = LAYERS) -> Judgement:
    """Decide about one press: the first layer that objects has its way."""
    for layer in layers:
        objection = layer.objects(evidence)
        if objection is not None:
            verdict, cause = objection
            unclear = verdict is not Verdict.SHOW and evidence.changes and evidence.command.muted is True
            return Judgement(verdict, cause, holds=unclear and HOLD_SENDS in layers)
    mutes = evidence.changes and evidence.command.muted is True
    return Judgement(Verdict.ACCEPT, counts=mutes and COHORT_ALARM in layers)


def to_restore(evidence: Evidence) -> dict[int, bool]:
    """Which choices to set back to what, once a press has contradicted its burst."""
    written = {press.command.target for press in evidence.opposable if press.command.muted is not None}
    return {which: evidence.before[which] for which in sorted(written & set(evidence.command.reach))}


def _doubt(evidence: Evidence, cause: str) -> tuple[Verdict, str]:
    return (Verdict.ASK if evidence.changes else Verdict.SHOW), cause
