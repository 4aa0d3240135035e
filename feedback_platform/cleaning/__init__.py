"""From raw lines to clean rows: read, check, correct, impute, flag, normalise.

Nothing here looks at the batch a value came in. The rules apply statistics that were fitted once,
versioned and kept in the lake, so the same event gets the same values whenever it is cleaned.
"""
