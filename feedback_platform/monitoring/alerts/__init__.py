"""Alerts: what is wrong now is told once, and told again when it is over."""
