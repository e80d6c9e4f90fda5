"""Who else filters invitations: by hand, and the libraries that others use, at the same work in the same run."""
