PYTHON = .venv/bin/python

.PHONY: screenshots
screenshots: # every page in every state, into build/screenshots, and the README's into docs
	$(PYTHON) -m tools.screenshots
