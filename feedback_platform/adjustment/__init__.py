"""What the product changes by itself: flags, and what decides about them."""
