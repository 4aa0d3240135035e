"""From a received line to canonical events: Segment, CloudEvents, and the users' own names."""
