"""What the product changes by itself: trigger rules, flags, and the record of every change."""
