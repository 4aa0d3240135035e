"""Experiments: who gets which variant, what came of it, and what to do about it.

`definitions_file` reads what a person wrote into a `definition`; `assignment` says who takes part
and in which variant. From `sums` over users, which is all that leaves the tables, `estimates` makes
a mean of each arm, `effects` compares two of them at a fixed horizon and `sequential` at any time,
where there is `support` for either; `sample_ratio` checks the split. `analysis` puts these
together, `decision` says what follows, with `multiplicity` (beside this package) for what many
comparisons are worth, and `results` are the rows for the tables. `planning` says beforehand how
many users it takes, and `duration` whether they come in time.

`running` is the log in the lake of what was started, stopped and shipped, made of `entries`, and
who gets what by it; `starting` and `stopping` check what a person asks for, `shipping` changes what
everybody gets. `exposure` and `observing` make sums of the tables, `reading` a look of these,
`looking` looks after each batch and ends what is decided; `looks` keeps what was found, of which
`result_tables` and `report` are made. Whoever calls brings the tables and the clock.
"""
