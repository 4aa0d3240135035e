"""Whether what one schema wrote can be read by another."""
