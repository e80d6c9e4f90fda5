"""One thin adapter for each mail library."""
