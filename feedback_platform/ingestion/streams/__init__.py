"""From the ordered partitions of a stream to raw objects, each message in exactly one of them."""
