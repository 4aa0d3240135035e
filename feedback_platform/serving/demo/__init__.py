"""The demo: a page of the simulated product that reorders its list as feedback arrives."""
