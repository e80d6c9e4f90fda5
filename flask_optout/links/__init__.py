"""Personal links: their keys, tokens and URLs."""
