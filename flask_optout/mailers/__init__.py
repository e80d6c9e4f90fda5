"""One adapter for each mail library; docs/adapters.md says how to add one."""
