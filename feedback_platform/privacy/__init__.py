"""What users may ask of the platform about themselves, and how it is done.

Erasing them from every layer, with a proof, so that nothing brings them back:

`requests` says who is to be erased, `identities` what else is theirs, `erasing` takes them out of
the lake (`raw_lines`, `clean_rows`, `learned_models`), and `proof` looks whether anything is left.
The warehouse is built anew from the clean layer by those who build it; orchestration puts the
parts in their order. `subject_requests` are those that another system sends under its own ids.

`preferences` says what users allow, `preferences_log` keeps what they said of it until the tables
have it, and `user_export` writes down all that is known of one.
"""
