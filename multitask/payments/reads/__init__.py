"""Reads for pages, the API and the back office; nothing here writes."""
