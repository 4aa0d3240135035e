"""Calling other systems over HTTP: within a time, to an address that was checked, signed."""
