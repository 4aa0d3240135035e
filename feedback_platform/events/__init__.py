"""The contract: what an event is, which types exist, and what the columns are called."""
