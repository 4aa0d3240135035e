"""Watching the loop itself: whether behaviour has changed, and whether tables keep their word."""
