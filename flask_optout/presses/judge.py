"""Whether a person made a press, and what it changes. Pure: no request, no store, no clock.

Scanners open links and sometimes press buttons: before, while and after a person does. Evidence only ever counts
against a press: a missing sign of a person is no reason to doubt it, and no press is refused for good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from .evidence import Command, Evidence, Muted, Page

#: Seconds within which opposite presses are weighed against each other.
WINDOW = 120.0
#: After so many presses of one visitor within the window, another one that would change a choice must be repeated.
BUSY = 6
#: Seconds within which a mute contradicts an earlier "Keep me invited": later, the result of that was read.
PAUSE = 15.0
#: No page has both buttons: one right after the other is the second half of a double click.
MUTE_AND_LEAVE = {Command.MUTE, Command.LEAVE}
#: Doubts that stay when a person presses again (their proxy strips headers, say), and so count only once.
FORGIVEN = {"no fetch metadata", "scanner", "prefetch", "another site"}


class Outcome(StrEnum):
    """The outcome of a press: obeyed, obeyed as the answer to a question, asked about, or its visitor is doubtful."""

    OBEYED = "o"
    CONFIRMED = "c"
    ASKED = "a"
    DOUBTFUL = "d"


OBEYED = (Outcome.OBEYED, Outcome.CONFIRMED)


class Press(NamedTuple):
    """A recent press of a link; ``at`` is in seconds since the epoch.

    :param visitor: a pseudonym of address and user agent, kept as long as the press.
    :param found: the choices before the first of this visitor's presses that are weighed together.
    """

    at: float
    visit: str
    visitor: str
    command: Command
    found: Muted
    outcome: Outcome = Outcome.OBEYED


class PressContext(NamedTuple):
    """One press with the choices of its link and the recent presses there, oldest first.

    :param elsewhere: which choices are mutes made outside our pages, such as by a mail program's own button.
    """

    evidence: Evidence
    muted: Muted
    recent: tuple[Press, ...]
    elsewhere: Muted

    @property
    def changes(self) -> bool:
        """Whether obeying it would change a choice."""
        command = self.evidence.command
        return command.muted is not None and command.muted is not self.muted[command.target]

    @property
    def asked(self) -> float:
        """When the question that this press answers was asked, which settles all presses before; else -infinity."""
        return self.evidence.issued if self.evidence.page is Page.REPEAT else float("-inf")

    def _is_by_same(self, press: Press) -> bool:
        """Return whether an earlier press is of the same visit, or of the same visitor who has seen its result.

        A page that was issued before that press cannot show its result, so the visitor counts as another one.
        """
        evidence = self.evidence
        return press.visit == evidence.visit or (press.visitor == evidence.visitor and press.at <= evidence.issued)

    @property
    def own(self) -> list[Press]:
        """The earlier presses of the same visitor, each within the window of the next."""
        presses: list[Press] = []
        later = self.evidence.at
        for press in filter(self._is_by_same, reversed(self.recent)):
            if later - press.at > WINDOW:
                break
            presses.insert(0, press)
            later = press.at
        return presses

    @property
    def weighed(self) -> list[Press]:
        """The own presses that this one may contradict: the last confirmed one, and those after it.

        The confirmed one counts until two presses since were asked about: a program may try each answer in turn.
        """
        presses = self.own
        confirmed = [at for at, press in enumerate(presses) if press.outcome is Outcome.CONFIRMED]
        since = presses[confirmed[-1] if confirmed else 0 :]
        again = bool(confirmed) and sum(press.outcome is Outcome.ASKED for press in since) < 2
        return [press for at, press in enumerate(since) if press.at > self.asked or (again and at == 0)]

    @property
    def found(self) -> Muted:
        """The choices before the first weighed press, with what others have set since, here and elsewhere."""
        if not self.weighed:
            return self.muted
        found, others = [*self.weighed[0].found], self.find_by_others(self.weighed[0].at)
        # A press that sets nothing confirms the choices it found; one that sets a choice, only that one.
        for press in sorted(others, key=lambda press: press.command.muted is not None):
            if press.command.muted is None:
                found = [*press.found]
            else:
                found[press.command.target] = press.command.muted
        return found[0] or self.elsewhere[0], found[1] or self.elsewhere[1]

    @property
    def opposed(self) -> list[Press]:
        """The own presses that this one contradicts."""
        return [] if self.is_sent_anew else [press for press in self.weighed if self._contradicts(press)]

    @property
    def is_sent_anew(self) -> bool:
        """Whether this button was obeyed after its page was issued: a request sent again takes nothing back."""
        obeyed = [press for press in self.recent if press.outcome in OBEYED and self.is_blind_to(press)]
        return (self.evidence.visit, self.evidence.command) in [(press.visit, press.command) for press in obeyed]

    def is_blind_to(self, press: Press) -> bool:
        """Return whether the page was issued before that press, which may be of another button on the same page."""
        return press.at > self.evidence.issued

    def _contradicts(self, press: Press) -> bool:
        command, pair = self.evidence.command, {self.evidence.command, press.command}
        if self.is_blind_to(press):
            return command.muted is not press.command.muted and pair != MUTE_AND_LEAVE and Command.DECOY not in pair
        return self.opposes(press) and not self._was_read(press)

    def opposes(self, press: Press) -> bool:
        """Return whether no person means both: opposite presses, or an undo and then a mute of everything."""
        command = self.evidence.command
        return command.contradicts(press.command) or (command is Command.MUTE_ALL and press.command is Command.UNDO)

    def _was_read(self, press: Press) -> bool:
        """Return whether the earlier press set nothing, and its result was read on the page of this press."""
        is_paused = self.evidence.at - press.at > PAUSE
        sets_nothing = press.command is Command.LEAVE or (press.command is Command.KEEP and is_paused)
        return sets_nothing and press.visit == self.evidence.visit

    def find_by_others(self, since: float) -> list[Press]:
        """Return the obeyed presses of others; of doubtful visitors, only those that they have confirmed since."""
        doubtful = [press for press in self.recent if press.outcome is Outcome.DOUBTFUL]
        return [
            press
            for press in self.recent
            if press.outcome in OBEYED
            and press.at > since
            and not self._is_by_same(press)
            and not any(
                press.visit == one.visit or press.visitor == one.visitor
                for one in doubtful
                if press.outcome is Outcome.OBEYED or press.at < one.at
            )
        ]


class Verdict(StrEnum):
    """What to do with a press: obey it, ask to repeat it, restore the choices its visitor found, or nothing."""

    ACCEPT = "accept"
    ASK = "ask"
    RESTORE = "restore"
    SHOW = "show"


class Judgement(NamedTuple):
    """A verdict, the choices to set, whether the page asks to press once more, and the press to remember."""

    verdict: Verdict
    cause: str
    sets: Mapping[int, bool]
    asks: bool
    press: Press | None


class Layer(NamedTuple):
    """One test that tells scanners from people; ``objects`` returns the cause if it objects to a press.

    ``remembers``: whether such a press is remembered; ``restores``: whether it reverts what its visitor has set.
    """

    name: str
    objects: Callable[[PressContext], str | None]
    remembers: bool = False
    restores: bool = False


def _submitter(case: PressContext) -> str | None:
    """The choice is in the button, so a form that a script sends without one changes nothing."""
    return None if case.evidence.pressed else "no button"


def _negative(case: PressContext) -> str | None:
    """A sign that no person pressed asks for a second press; none is refused for good.

    It does not stop a press that takes back another one of its visit: a scanner may hurry with its second press.
    """
    if any(press.visit == case.evidence.visit for press in case.opposed):
        return None
    forgiven = FORGIVEN if case.evidence.page is Page.REPEAT else set()
    return next((doubt for doubt in case.evidence.doubts if doubt not in forgiven), None)


def _contradiction(case: PressContext) -> str | None:
    """Opposite presses of one visitor restore the choices which that visitor found, muted or not."""
    return "contradiction" if case.opposed else None


def _others(case: PressContext) -> str | None:
    """What another visitor has just set is not reversed without a question."""
    others = case.find_by_others(max(case.asked, case.evidence.at - WINDOW))
    return "others" if any(case.opposes(press) for press in others if press.command.muted is not None) else None


def _doubtful(case: PressContext) -> str | None:
    """A visitor who has pressed a decoy, opposite buttons of one page, or very many buttons, must press once more.

    So must one whose page does not show an earlier opposite press: the form may be an old one that is sent again.
    """
    since, evidence = [press for press in case.own if press.at > case.asked], case.evidence
    oldest = evidence.at - (0 if case.is_sent_anew else WINDOW)
    unseen = [press for press in case.recent if case.is_blind_to(press) and press.at <= oldest]
    stale = any(press.outcome in OBEYED and press.command.muted is (not evidence.command.muted) for press in unseen)
    doubtful = stale or any(press.outcome is Outcome.DOUBTFUL for press in since)
    return "doubtful" if case.changes and (doubtful or len(since) >= BUSY) else None


def _later_undo(case: PressContext) -> str | None:
    """An undo on a later visit takes the browser's sign of a click, or a second press.

    Otherwise a scanner that presses the only big button of every page would undo people's mutes. A page with "Keep me
    invited" does not show a mute at all, so a press there takes a second one in any case.
    """
    evidence = case.evidence
    if evidence.command.muted is not False or not case.changes or evidence.page is Page.REPEAT:
        return None
    vouched = evidence.command is not Command.KEEP and (evidence.sure or evidence.page is Page.RESULT)
    return None if vouched else "later undo"


#: In the order of evaluation.
LAYERS = (
    Layer("L1 submitter", _submitter),
    Layer("L2, L5 negative evidence", _negative),
    Layer("L3 contradiction", _contradiction, remembers=True, restores=True),
    Layer("L3 other visitors", _others, remembers=True),
    Layer("L4 decoy", _doubtful, remembers=True),
    Layer("L9 later undo", _later_undo, remembers=True),
)


def judge(case: PressContext, layers: Sequence[Layer] = LAYERS) -> Judgement:
    """Judge one press by the first layer that objects, which asks to repeat a press that would change a choice."""
    command = case.evidence.command
    for layer in layers:
        if (cause := layer.objects(case)) is not None:
            sets = _find_restored(case) if layer.restores else {}
            current = sets.get(command.target, case.muted[command.target])
            asks = case.evidence.pressed and command.muted not in (None, current)
            verdict = Verdict.RESTORE if layer.restores else Verdict.ASK if asks else Verdict.SHOW
            press = _make_press(case, verdict, asks) if layer.remembers else None
            return Judgement(verdict, cause, sets, asks, press)
    sets = {command.target: command.muted} if command.muted is not None and case.changes else {}
    return Judgement(Verdict.ACCEPT, "", sets, False, _make_press(case, Verdict.ACCEPT, False))


def _find_restored(case: PressContext) -> dict[int, bool]:
    """Return the choices to set back, of those the visitor has set, when a press contradicts the earlier ones."""
    reached = {press.command.target for press in case.weighed if press.command.muted is not None}
    if not any(map(case.is_blind_to, case.weighed)):
        reached &= {*case.evidence.command.about, *(press.command.target for press in case.opposed)}
    found = case.found
    return {which: found[which] for which in sorted(reached) if found[which] is not case.muted[which]}


def _make_press(case: PressContext, verdict: Verdict, asks: bool) -> Press:
    evidence = case.evidence
    # Two buttons of one page: the second press is no answer to the result of the first.
    blind = any(map(case.is_blind_to, case.opposed))
    if evidence.command is Command.DECOY or (verdict is Verdict.RESTORE and blind):
        outcome = Outcome.DOUBTFUL
    elif asks or verdict is Verdict.SHOW:
        outcome = Outcome.ASKED
    else:
        outcome = Outcome.CONFIRMED if evidence.page is Page.REPEAT else Outcome.OBEYED
    return Press(evidence.at, evidence.visit, evidence.visitor, evidence.command, case.found, outcome)
