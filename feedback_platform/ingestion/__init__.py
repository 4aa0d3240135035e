"""Ways in: files that hold feedback already become raw events of the lake."""
