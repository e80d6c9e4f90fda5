"""Hears a press: judges it, does what the judgement says, and raises the cohort alarm."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from flask import current_app

from ..choices.repository import Statement
from ..links.tokens import Claim
from ..wiring import State, current_state
from .bursts import Command
from .judge import Evidence, Judgement, Page, Verdict, judge, to_restore
from .signals import cohort_alarm


class Heard(NamedTuple):
    """What came of a press, and whether the page must ask for it once more."""

    judgement: Judgement
    again: bool


def hear(claim: Claim, evidence: Evidence) -> Heard:
    """Judge a press and do what the judgement says; when this returns, it is committed.

    :raises StoreUnavailable: when the database does not take it.
    """
    state, command = current_state(), evidence.command
    judgement = judge(evidence, state.layers)
    before, confirmed = evidence.before, evidence.page is Page.REPEAT
    again = judgement.verdict is Verdict.ASK
    if judgement.verdict is Verdict.RESTORE:
        state.presses.mark(claim, command, before)
        again = _restore(state, claim, evidence)
    elif judgement.verdict is Verdict.ACCEPT and command.muted is None:
        state.presses.mark(claim, command, before, confirmed)
    elif judgement.verdict is Verdict.ACCEPT:
        counts = judgement.counts and state.alarms.watches(claim)
        burst, cohort = state.presses.obey(claim, command, before, confirmed, counts)
        # An opposite press may have come in between; whichever of the two looks last sees both.
        after = replace(evidence, burst=burst)
        second = judge(after, state.layers)
        if second.verdict is Verdict.RESTORE:
            judgement, again = second, _restore(state, claim, after)
        else:
            _raise_alarm(state, claim, cohort)
    return Heard(judgement, again)


def hear_one_click(claim: Claim) -> None:
    """Mute at once: a mail program may not send the signal without its user's word (RFC 8058 section 3.2)."""
    state = current_state()
    counts = state.alarms.watches(claim)
    _, cohort = state.presses.obey(claim, Command.ONE_CLICK, (False, False), confirmed=True, counts=counts)
    _raise_alarm(state, claim, cohort)


def _restore(state: State, claim: Claim, evidence: Evidence) -> bool:
    """Set back what a contradicted burst has set; says whether that is not what this press asks for."""
    command = evidence.command
    restored = to_restore(evidence)
    said = [Statement(claim.person[which], muted, "page") for which, muted in restored.items()]
    state.choices.transact(lambda connection: (None, said))
    stands = restored.get(command.target, evidence.muted[command.target])
    return command.muted is not None and stands is not command.muted


def _raise_alarm(state: State, claim: Claim, cohort: int) -> None:
    at_least = state.alarms.notice(claim, cohort)
    if at_least is not None:
        current_app.logger.warning(
            "At least %d recipients behind one mail domain opted out within five minutes; a scanner may have pressed "
            "for them. Their choices stand. 'flask optout alarms' tells which domain it is, and 'flask optout "
            "notify-domain' asks everybody there who was invited.",
            at_least,
        )
        cohort_alarm.send(current_app._get_current_object(), at_least=at_least)  # type: ignore[attr-defined]
