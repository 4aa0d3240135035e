"""The HTTP collector: what it answered with success is durable in the lake.

It is stateless. A request is checked as far as its sender can be told something useful, wrapped
as a received line (`events.received`) and written together with the requests that came at the same
time; it is answered when their object is durable. Nothing is translated here: cleaning does that.
"""
