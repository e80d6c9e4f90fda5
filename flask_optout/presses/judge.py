"""Was this press a person's, and what does it change? Pure: no request, no store, no clock.

Scanners open links and sometimes press what they find, before, while and after a person does. Evidence only ever
counts against a press: what a browser does not say is no reason to doubt it, and no press is refused for good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from .evidence import OBEYED, WINDOW, Client, Command, Evidence, Muted, Outcome, Page, Press, Scripts

#: Seconds below which no person has read a page and pressed a button on it.
HURRY = 0.4
#: Presses of one visitor within the window, from which on another one that would change something is asked for again.
BUSY = 6
#: Seconds between "Keep me invited" and a mute that show that somebody has read in between.
PAUSE = 15.0
#: No page has both; the second half of a double click may press the other.
MUTE_AND_LEAVE = {Command.MUTE, Command.LEAVE}


class Weighed(NamedTuple):
    """One press, beside what stands and the recent presses of its link, oldest first.

    :param signalled: which of the mutes that stand came from a mail program's own button.
    """

    evidence: Evidence
    muted: Muted
    recent: tuple[Press, ...]
    signalled: Muted

    @property
    def changes(self) -> bool:
        """Whether obeying it would change a choice."""
        command = self.evidence.command
        return command.muted is not None and command.muted is not self.muted[command.target]

    @property
    def asked(self) -> float:
        """What was pressed before the page asked has been asked about."""
        return self.evidence.issued if self.evidence.page is Page.REPEAT else float("-inf")

    @property
    def own(self) -> tuple[Press, ...]:
        """The presses of the same visitor that led to this one, each within the window of the next."""
        presses: list[Press] = []
        later = self.evidence.at
        for press in reversed(self.recent):
            if self.evidence.is_by_same(press):
                if later - press.at > WINDOW:
                    break
                presses.insert(0, press)
                later = press.at
        return tuple(presses)

    @property
    def weighed(self) -> tuple[Press, ...]:
        """Those of the own presses that it may contradict: from the last one that was confirmed on."""
        presses: list[Press] = []
        for press in self.own:
            if press.outcome is Outcome.CONFIRMED:
                presses = []
            if press.at > self.asked:
                presses.append(press)
        return tuple(presses)

    @property
    def found(self) -> Muted:
        return self.weighed[0].found if self.weighed else self.muted

    @property
    def opposed(self) -> tuple[Press, ...]:
        """The own presses that it contradicts."""
        return tuple(press for press in self.weighed if self._contradicts(press))

    @property
    def blind(self) -> tuple[Press, ...]:
        """The own presses that its page does not show yet: another button of the same page, say."""
        return tuple(press for press in self.weighed if press.at > self.evidence.issued)

    def _contradicts(self, press: Press) -> bool:
        command, pair = self.evidence.command, {self.evidence.command, press.command}
        if press in self.blind:
            return command.muted is not press.command.muted and pair != MUTE_AND_LEAVE and Command.DECOY not in pair
        return command.contradicts(press.command) and not self._read(press)

    def _read(self, press: Press) -> bool:
        """Whether this press came after one that set nothing, and after somebody has read what came of that."""
        later = self.evidence.at - press.at > PAUSE
        return (press.command is Command.LEAVE and (later or press.visit == self.evidence.visit)) or (
            press.command is Command.KEEP and later
        )

    @property
    def others(self) -> tuple[Press, ...]:
        """The presses of others within the window that were obeyed; whoever is doubtful has said nothing."""
        doubtful = [press for press in self.recent if press.outcome is Outcome.DOUBTFUL]
        return tuple(
            press
            for press in self.recent
            if press.outcome in OBEYED
            and not self.evidence.is_by_same(press)
            and press.at > max(self.asked, self.evidence.at - WINDOW)
            and not any(press.visit == one.visit or press.visitor == one.visitor for one in doubtful)
        )


class Verdict(StrEnum):
    """What to do with a press: obey it, ask for it once more, restore what its visitor found, or nothing."""

    ACCEPT = "accept"
    ASK = "ask"
    RESTORE = "restore"
    SHOW = "show"


class Judgement(NamedTuple):
    """A verdict, and what follows from it.

    :param sets: which choices to set to what.
    :param asks: whether the page asks to press once more.
    :param press: what to remember of it, if anything.
    """

    verdict: Verdict
    cause: str
    sets: Mapping[int, bool]
    asks: bool
    press: Press | None


class Layer(NamedTuple):
    """One thing that tells a scanner from a person.

    :param objects: gives a verdict and its cause, or ``None`` where this layer has nothing against the press.
    :param remembers: whether a press that it objects to is remembered.
    """

    name: str
    objects: Callable[[Weighed], tuple[Verdict, str] | None]
    remembers: bool = False


def _submitter(case: Weighed) -> tuple[Verdict, str] | None:
    """L1: the decision is in the button, so a form that a script sends without one says nothing."""
    return None if case.evidence.pressed else (Verdict.SHOW, "no button")


def _negative(case: Weighed) -> tuple[Verdict, str] | None:
    """L5: what a person's press never looks like; each cause asks for a second press and none refuses it."""
    forgiven = FORGIVEN if case.evidence.page is Page.REPEAT else ()
    cause = next((name for name, holds in CAUSES.items() if holds(case.evidence) and name not in forgiven), None)
    return None if cause is None else (_doubt(case), cause)


def _others(case: Weighed) -> tuple[Verdict, str] | None:
    """Nothing is undone that another visitor has just been told."""
    command = case.evidence.command
    told = any(
        command.contradicts(press.command) or (command is Command.MUTE_ALL and press.command is Command.UNDO)
        for press in case.others
        if press.command.muted is not None
    )
    mailed = (
        command.muted is False
        and case.signalled[command.target]
        and any(press.command.muted for press in case.weighed)
    )
    return (_doubt(case), "others") if told or mailed else None


def _contradiction(case: Weighed) -> tuple[Verdict, str] | None:
    """L3: opposite presses of one visitor restore what that visitor found, both ways."""
    return (Verdict.RESTORE, "contradiction") if case.opposed else None


def _doubtful(case: Weighed) -> tuple[Verdict, str] | None:
    """Whoever has pressed a decoy, or opposite buttons of one page, or a great many of them, presses once more."""
    doubtful = any(press.outcome is Outcome.DOUBTFUL and press.at > case.asked for press in case.own)
    if not case.changes or not (doubtful or len(case.own) >= BUSY):
        return None
    return Verdict.ASK, "doubtful"


def _later_undo(case: Weighed) -> tuple[Verdict, str] | None:
    """L9: to undo on a later visit takes the browser's sign of a click, or a second press.

    A scanner that presses the only big button of every page would otherwise invite again those who said no. A page
    that offers to keep the invitations does not show a mute at all, so there it takes a second press in any case.
    """
    evidence = case.evidence
    sure = evidence.fetch_user or evidence.scripts is Scripts.TRUSTED
    if evidence.command.muted is not False or not case.changes or evidence.page is Page.REPEAT:
        return None
    if evidence.command is not Command.KEEP and (sure or evidence.page is Page.RESULT):
        return None
    return Verdict.ASK, "later undo"


def _untrusted(evidence: Evidence) -> bool:
    by_script = evidence.htmx or evidence.scripts is Scripts.RAN or evidence.fetch_mode not in ("", "navigate")
    return by_script and evidence.scripts is not Scripts.TRUSTED


def _no_gesture(evidence: Evidence) -> bool:
    navigates = evidence.client is Client.MODERN and evidence.fetch_mode == "navigate"
    return navigates and not evidence.fetch_user and evidence.scripts is not Scripts.TRUSTED


def _no_metadata(evidence: Evidence) -> bool:
    silent = not (evidence.fetch_site or evidence.fetch_mode or evidence.fetch_user)
    modern = evidence.client is Client.MODERN and evidence.secure
    return modern and silent and evidence.scripts is not Scripts.TRUSTED


def _hurry(evidence: Evidence) -> bool:
    # Below 0, another server's clock made the page.
    return 0 <= min(evidence.at - evidence.issued, evidence.seen) < HURRY


#: What a person's press never looks like, by name. Safari, text browsers and old browsers send none of these signals.
CAUSES: dict[str, Callable[[Evidence], bool]] = {
    "no page": lambda evidence: evidence.page is None,
    "untrusted click": _untrusted,
    "no gesture": _no_gesture,
    "no fetch metadata": _no_metadata,
    "scanner": lambda evidence: evidence.client is Client.SCANNER,
    "prefetch": lambda evidence: evidence.prefetch,
    "another site": lambda evidence: evidence.fetch_site not in ("", "same-origin"),
    "hurry": _hurry,
}
#: What a person cannot mend by pressing again (their proxy strips headers, say), and so does not count twice.
FORGIVEN = {"no fetch metadata", "scanner", "prefetch", "another site"}

SUBMITTER = Layer("L1 submitter", _submitter)
NEGATIVE = Layer("L2, L5 negative evidence", _negative)
OTHERS = Layer("L3 other visitors", _others, remembers=True)
CONTRADICTION = Layer("L3 contradiction", _contradiction, remembers=True)
DOUBTFUL = Layer("L4 decoy", _doubtful, remembers=True)
LATER_UNDO = Layer("L9 later undo", _later_undo)
#: In the order in which they are asked.
LAYERS = (SUBMITTER, NEGATIVE, OTHERS, CONTRADICTION, DOUBTFUL, LATER_UNDO)


def _doubt(case: Weighed) -> Verdict:
    """What a doubt comes to: a press that would change nothing is not worth a question."""
    return Verdict.ASK if case.changes else Verdict.SHOW


def judge(case: Weighed, layers: Sequence[Layer] = LAYERS) -> Judgement:
    """Decide about one press: the first layer that objects has its way."""
    for layer in layers:
        if (objection := layer.objects(case)) is not None:
            verdict, cause = objection
            sets = _restored(case) if verdict is Verdict.RESTORE else {}
            asks = verdict is Verdict.ASK or (verdict is Verdict.RESTORE and not _satisfied(case, sets))
            press = _remembered(case, verdict, asks) if layer.remembers else None
            return Judgement(verdict, cause, sets, asks, press)
    command = case.evidence.command
    sets = {command.target: command.muted} if command.muted is not None and case.changes else {}
    return Judgement(Verdict.ACCEPT, "", sets, False, _remembered(case, Verdict.ACCEPT, False))


def _restored(case: Weighed) -> dict[int, bool]:
    """Which of the choices that its visitor has set to set back, once a press has contradicted the others."""
    written = {press.command.target for press in case.weighed if press.command.muted is not None}
    reached = written if case.blind else written & {*case.evidence.command.reach}
    return {which: case.found[which] for which in sorted(reached) if case.found[which] is not case.muted[which]}


def _satisfied(case: Weighed, sets: Mapping[int, bool]) -> bool:
    command = case.evidence.command
    return command.muted is None or sets.get(command.target, case.muted[command.target]) is command.muted


def _remembered(case: Weighed, verdict: Verdict, asks: bool) -> Press:
    evidence = case.evidence
    # Two buttons of one page: the second press does not answer what the first one brought about.
    blind = any(press in case.blind for press in case.opposed)
    if evidence.command is Command.DECOY or (verdict is Verdict.RESTORE and blind):
        outcome = Outcome.DOUBTFUL
    elif asks or verdict is Verdict.SHOW:
        outcome = Outcome.ASKED
    else:
        outcome = Outcome.CONFIRMED if evidence.page is Page.REPEAT else Outcome.OBEYED
    return Press(evidence.at, evidence.visit, evidence.visitor, evidence.command, case.found, outcome)
