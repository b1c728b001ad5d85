"""The endpoints of the API; `sandboxes/stripe/registry.py` lists them."""
