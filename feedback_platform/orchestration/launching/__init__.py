"""How a run gets its process: forked from one that has imported everything, or started anew."""
