"""What a server tells of itself to Prometheus.

The numbers of each process are plain ones; about once a second they become a snapshot that the
other processes at the same socket can read. So one answer has the sum over all of them, whichever
process gives it, and counting costs the requests next to nothing.
"""
