"""Opt-outs from other systems' lists."""
