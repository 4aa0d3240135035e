"""The ASGI application: the collector, the schema registry, health, and their documentation."""
