"""Frames as pictures: functions from a frame of `data` to an Altair chart."""
