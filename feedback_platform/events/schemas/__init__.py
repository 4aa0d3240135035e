"""The contract in the words of others: JSON Schema, Protobuf, wire framing, compatibility."""
