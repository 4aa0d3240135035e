"""The ASGI application: the collector, flags, users, the schema registry, health, documentation."""
