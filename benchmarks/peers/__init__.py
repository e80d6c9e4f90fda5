"""Other ways to filter recipients, by hand and by libraries, at the same work in the same run."""
