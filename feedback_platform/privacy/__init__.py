"""Erasing users from every layer, with a proof, so that nothing brings them back.

`requests` says who is to be erased, `identities` what else is theirs, `erasing` takes them out of
the lake (`raw_lines`, `clean_rows`, `learned_models`), and `proof` looks whether anything is left.
The warehouse is built anew from the clean layer by those who build it; orchestration puts the
parts in their order.
"""
