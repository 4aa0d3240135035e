"""Protobuf: the contract's own messages, and the files that are registered."""
