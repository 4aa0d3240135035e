"""A data platform for feedback loops: collect, clean, score, learn, adjust, measure."""

__version__ = "0.1.0"
