"""What the pages show, as frames: pure functions of a snapshot and of what was chosen."""
