"""One adapter for each mail library; ``wire`` is what they share, and docs/adapters.md says how to add one."""
