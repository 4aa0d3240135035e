"""The ASGI application: the collector, flags, the schema registry, health, documentation."""
