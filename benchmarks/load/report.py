"""The figures of a run, and whether it was as promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .faults import Fault
from .judge import Asked, Mail, Pair, Press, forgotten, in_flight, is_forbidden, longest_gap


@dataclass(frozen=True)
class Run:
    """What was noted.

    :param presses: of each pair, one after the other, the prober's first among them.
    :param may_invite: what the gate says of each pair at the end.
    :param processor: what the last round took of the processors.
    :param began: when the part with faults did; it ``ended`` when all that had been asked for was done.
    :param last: seconds that the last round of invitations took, which had no faults.
    :param stuck: tasks that were not done in time.
    """

    asked: Mapping[Asked, float]
    mails: Sequence[Mail]
    presses: Mapping[Pair, Sequence[Press]]
    stored: Sequence[float]
    may_invite: Mapping[Pair, bool]
    faults: Sequence[Fault]
    processor: Mapping[str, float]
    began: float
    ended: float
    last: float
    stuck: int

    @property
    def loaded(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Report:
    """What stands in the table: each row a name, a figure, and what it must be if there is anything it must be."""

    rows: Sequence[tuple[str, str, bool]]
    faults: Sequence[tuple[str, float, float]]

    @property
    def good(self) -> bool:
        return all(good for _, _, good in self.rows)

    def __str__(self) -> str:
        rows = [f"| {name} | {figure}{'' if good else ' **wrong**'} |" for name, figure, good in self.rows]
        faults = [f"| {what} | {lasted:.1f} s | {gap:.1f} s |" for what, lasted, gap in self.faults]
        return "\n".join(
            [
                "| figure | |\n| --- | --- |",
                *rows,
                "\n| fault | until it was mended | no choice was stored for |\n| --- | --- | --- |",
                *faults,
            ]
        )


def report(run: Run) -> Report:
    said = [press for presses in run.presses.values() for press in presses]
    forbidden = [mail for mail in run.mails if is_forbidden(run.presses.get(mail.pair, ()), mail)]
    overtaken = _overtaken(run)
    each = Counter(overtaken_by for overtaken_by, _ in overtaken)
    got = {Asked(mail.pair, mail.round) for mail in run.mails}
    held_back = len(run.asked) - len(got)
    lost = [
        pair
        for pair, presses in run.presses.items()
        if presses[-1].confirmed < float("inf") and run.may_invite[pair] is presses[-1].mutes
    ]
    unconfirmed = sum(press.confirmed == float("inf") for press in said)
    last_round = max(asked.round for asked in run.asked)
    last = [asked for asked in run.asked if asked.round == last_round]
    under_load = sum(run.began <= at < run.ended for at in run.asked.values())
    mutes = sum(press.mutes for press in said)
    rows = [
        ("people", str(len({asked.pair.address for asked in run.asked})), True),
        ("opportunities", str(len({asked.pair.opportunity for asked in run.asked})), True),
        ("invitations asked for", str(len(run.asked)), True),
        ("invitations sent", str(len(run.mails)), True),
        ("of them twice, by a task that ran again", str(len(run.mails) - len(got)), True),
        ("held back from muted people", str(held_back), held_back > 0),
        ("faults", str(len(run.faults)), len(run.faults) > 0),
        ("tasks held by workers that were killed", *_held(run.faults)),
        ("mutes", str(mutes), mutes > 0),
        ("undos", str(len(said) - mutes), len(said) > mutes),
        ("mail to muted people", str(len(forbidden)), not forbidden),
        ("mail in flight as a mute was confirmed", _flights(overtaken), max(each.values(), default=0) <= 1),
        ("people not muted whom an invitation never reached", *_none(len(forgotten(run.asked, got, run.presses)))),
        ("lost choices", *_none(len(lost))),
        ("presses never confirmed", *_none(unconfirmed)),
        ("tasks never done", *_none(run.stuck)),
        ("seconds with faults", f"{run.loaded:.1f}", True),
        ("invitations/s with faults, sent or held back", f"{under_load / run.loaded:.1f}", True),
        ("invitations/s in the last round, without", f"{len(last) / run.last:.1f}", True),
        ("presses/s, as many as came", f"{len(said) / run.loaded:.1f}", True),
        ("one-click presses/s of the prober, one after the other", f"{len(run.stored) / run.loaded:.1f}", True),
        *(
            (f"processor time of {of} for an invitation", f"{used / len(last) * 1000:.1f} ms", True)
            for of, used in run.processor.items()
        ),
    ]
    gaps = [
        (fault.what, fault.ended - fault.began, longest_gap(run.stored, fault.began, fault.ended))
        for fault in run.faults
    ]
    return Report(rows, gaps)


def _none(count: int) -> tuple[str, bool]:
    return str(count), count == 0


def _held(faults: Sequence[Fault]) -> tuple[str, bool]:
    """A worker that held nothing when it was killed proves nothing."""
    held = [fault.held for fault in faults if fault.what.startswith("worker")]
    return str(sum(held)), all(held)


def _overtaken(run: Run) -> list[tuple[tuple[Pair, Press], float]]:
    mails: dict[Pair, list[Mail]] = {}
    for mail in run.mails:
        mails.setdefault(mail.pair, []).append(mail)
    return [
        ((pair, mute), late)
        for pair, presses in run.presses.items()
        for mute, late in in_flight(presses, mails.get(pair, ()))
    ]


def _flights(overtaken: Sequence[tuple[object, float]]) -> str:
    latest = max((late for _, late in overtaken), default=0.0)
    return f"{len(overtaken)}, at most {latest * 1000:.0f} ms after it" if overtaken else "0"
