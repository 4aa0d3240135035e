"""What the platform learns from feedback: factorisation, segments, and whether to trust them.

`training_data` validates frames and splits them in time; `factorisation`, `als`, `ease` and
`popularity` score items; `sources` lists them behind one interface and `ensemble` sums them up;
`evaluation` and `list_quality` measure ranked lists; `recommendations` turns scores into lists with
reasons; `segments` groups users; `registry` keeps model versions in the lake; `training` puts the
steps together. Nothing here imports Dagster, opens the warehouse or looks at a clock.
"""
