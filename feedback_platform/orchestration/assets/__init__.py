"""The assets, in the order of the loop: clean, transform, monitor, learn, publish."""
