"""What each object is made of, and what happens to it."""
