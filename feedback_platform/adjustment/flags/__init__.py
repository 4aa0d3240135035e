"""Feature flags: definitions, targeting, rollouts, and the log of their changes in the lake.

Nothing here knows a web framework, a database or a clock. `serving/ofrep.py` puts HTTP in front.
"""
