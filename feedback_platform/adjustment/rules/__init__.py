"""Trigger rules: a metric beyond a threshold changes something, with evidence and a way back."""
