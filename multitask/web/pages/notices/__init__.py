"""Notices, and previews of the emails that carry them."""
