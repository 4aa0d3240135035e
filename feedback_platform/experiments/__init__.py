"""Experiments: who gets which variant, what came of it, and what to do about it.

`definitions_file` reads what a person wrote into a `definition`; `assignment` says who takes part
and in which variant. From `sums` over users, which is all that leaves the tables, `estimates` makes
a mean of each arm, `effects` compares two of them at a fixed horizon and `sequential` at any time,
where there is `support` for either; `sample_ratio` checks the split, `multiplicity` says what many
comparisons are worth. `analysis` puts
these together, `decision` says what follows, and `results` are the rows for the tables. `planning`
says beforehand how many users it takes, and `duration` whether they come in time. Nothing here
reads a table, an environment or a clock.
"""
