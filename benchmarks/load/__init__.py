"""The whole story beyond one machine: two app servers behind one address, PostgreSQL, Celery workers, and faults."""
