"""The objects: their fields, and the changes that happen to them."""
