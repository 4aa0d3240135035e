"""JSON Schemas: the contract's own, and those that are registered."""
