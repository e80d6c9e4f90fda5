"""What a host app can listen to; no signal names a person."""

from __future__ import annotations

from blinker import NamedSignal, Namespace

#: Several recipients behind one mail domain opted out together, as a scanner makes them do. Sent once a day for each
#: domain, by the app, with ``at_least``: how many, rounded down. Which domain it was, ``flask optout alarms`` tells.
cohort_alarm: NamedSignal = Namespace().signal("optout-cohort-alarm")
