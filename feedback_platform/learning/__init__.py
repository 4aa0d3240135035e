"""What the platform learns from feedback: a recommender, segments, and whether to trust them.

`training_data` validates frames and splits them in time; `factorisation`, `als`, `ease` and
`popularity` score items; `sources` lists them behind one interface, `ensemble` sums them up and
`selection` chooses among them; `ranker_training` makes a `ranker` of what they find, and
`candidate_ranker` goes from a user to ranked candidates; `recipe` writes all choices down and
`recommender` is what comes out of it; `evaluation` and `list_quality` measure ranked lists,
`hold_out` on what no model has seen; `challenge` and `gate` compare a model with the champion;
`recommendations` turns scores into lists and `reasons` says why; `segments` groups users;
`registry` keeps model versions in the lake; `training` puts the steps together. Nothing here
imports Dagster, opens the warehouse or looks at a clock.
"""
