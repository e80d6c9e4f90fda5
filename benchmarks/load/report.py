"""The figures of a run, and whether it was as promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .faults import Fault
from .judge import Asked, Mail, Pair, Press, forgotten, in_flight, is_forbidden, longest_gap

NEVER = float("inf")
#: A name, a figure, and whether it is as it must be.
Row = tuple[str, str, bool]


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
    """The tables: the figures, and of each fault how long it lasted and how long no choice was stored."""

    rows: Sequence[Row]
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
    gaps = [
        (fault.what, fault.ended - fault.began, longest_gap(run.stored, fault.began, fault.ended))
        for fault in run.faults
    ]
    never = sum(gap == NEVER for _, _, gap in gaps)
    after = ("faults before or after which no choice was stored", *_none(never))
    return Report([*_amounts(run), *_checks(run), after, *_rates(run)], gaps)


def _amounts(run: Run) -> list[Row]:
    """How much there was; where there was nothing of something, the run proves nothing."""
    said, got = _said(run), _got(run)
    held_back, mutes = len(run.asked) - len(got), sum(press.mutes for press in said)
    return [
        ("people", str(len({asked.pair.address for asked in run.asked})), True),
        ("opportunities", str(len({asked.pair.opportunity for asked in run.asked})), True),
        ("invitations asked for", str(len(run.asked)), True),
        ("invitations sent", str(len(run.mails)), True),
        ("of them twice, as a request or a task was repeated", str(len(run.mails) - len(got)), True),
        ("held back from muted people", str(held_back), held_back > 0),
        ("mutes", str(mutes), mutes > 0),
        ("undos", str(len(said) - mutes), len(said) > mutes),
        ("faults", str(len(run.faults)), len(run.faults) > 0),
        ("tasks held by workers that were killed", *_held(run.faults)),
    ]


def _checks(run: Run) -> list[Row]:
    forbidden = sum(is_forbidden(run.presses.get(mail.pair, ()), mail) for mail in run.mails)
    overtaken, missed = _overtaken(run), forgotten(run.asked, _got(run), run.presses)
    each = Counter(mute for mute, _ in overtaken)
    lost = sum(
        presses[-1].confirmed < NEVER and run.may_invite[pair] is presses[-1].mutes
        for pair, presses in run.presses.items()
    )
    return [
        ("mail to muted people", *_none(forbidden)),
        ("mail in flight as a mute was confirmed", _flights(overtaken), max(each.values(), default=0) <= 1),
        (
            "invitations that never reached somebody not muted",
            *_none(len(missed)),
        ),
        ("lost choices", *_none(lost)),
        ("presses never confirmed", *_none(sum(press.confirmed == NEVER for press in _said(run)))),
        ("tasks never done", *_none(run.stuck)),
    ]


def _rates(run: Run) -> list[Row]:
    under_load = sum(run.began <= at < run.ended for at in run.asked.values())
    newest = max(asked.round for asked in run.asked)
    last = sum(asked.round == newest for asked in run.asked)
    rates = {
        "seconds with faults": f"{run.loaded:.1f}",
        "invitations/s with faults, sent or held back": f"{under_load / run.loaded:.1f}",
        "invitations/s in the last round, without faults and presses": f"{last / run.last:.1f}",
        "presses/s, as many as came": f"{len(_said(run)) / run.loaded:.1f}",
        "one-click presses/s of the prober, one after the other": f"{len(run.stored) / run.loaded:.1f}",
    }
    for of, used in run.processor.items():
        if used:
            rates[f"processor time of {of} for an invitation"] = f"{used / last * 1000:.1f} ms"
    return [(name, figure, True) for name, figure in rates.items()]


def _said(run: Run) -> list[Press]:
    return [press for presses in run.presses.values() for press in presses]


def _got(run: Run) -> set[Asked]:
    return {Asked(mail.pair, mail.round) for mail in run.mails}


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
