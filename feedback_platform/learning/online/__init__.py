"""Lists for a product's next response: those that were published, and what a session adds to them.

Learning writes one file beside the published lists; a serving process maps it into memory, and
orders a user's candidates anew with what the user did since. Nothing here knows how a request
comes, or where a session's events are kept.
"""
