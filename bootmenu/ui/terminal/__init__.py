"""The terminal: what it can do, what it shows, and the fewest bytes that change it."""
