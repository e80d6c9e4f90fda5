"""The Email Log: what was sent, without its personal links."""
