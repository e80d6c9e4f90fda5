"""The commands of a page: what each sets, and which of them contradict each other."""

from __future__ import annotations

from itertools import product

import pytest

from flask_optout.presses.commands import COMMANDS, Command

SETS = {
    Command.MUTE: (0, True),
    Command.UNDO: (0, False),
    Command.MUTE_ALL: (1, True),
    Command.UNDO_ALL: (1, False),
    Command.KEEP: (0, False),
    Command.LEAVE: (0, None),
    Command.DECOY: (0, None),
}
#: A mute and what takes it back; "Keep me invited" and "Leave it as it is" stand on pages with either.
CONTRADICTIONS = {
    (Command.MUTE, Command.UNDO),
    (Command.MUTE, Command.KEEP),
    (Command.MUTE_ALL, Command.UNDO_ALL),
    (Command.MUTE_ALL, Command.KEEP),
    (Command.LEAVE, Command.UNDO),
    (Command.LEAVE, Command.UNDO_ALL),
    (Command.LEAVE, Command.KEEP),
}


@pytest.mark.parametrize("command", Command)
def test_each_sets_one_choice_or_none(command: Command) -> None:
    assert (command.target, command.muted) == SETS[command]


def test_the_value_of_a_button_names_its_command() -> None:
    assert {COMMANDS[command.choice] for command in Command} == {*Command} and len(COMMANDS) == len(Command)


@pytest.mark.parametrize(("one", "other"), [*product(Command, repeat=2)])
def test_some_contradict_each_other_both_ways(one: Command, other: Command) -> None:
    assert one.contradicts(other) is bool({(one, other), (other, one)} & CONTRADICTIONS)
