"""The choices of candidates, and how they are stored."""
