"""What runs the one definition of cleaning: Polars on this machine, or Spark.

`port` says what an engine does, `definition` what every engine runs.
"""
