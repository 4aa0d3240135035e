"""The pages: what stands where, and the words around the charts."""
