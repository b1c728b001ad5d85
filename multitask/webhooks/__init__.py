"""Incoming webhooks: verified on their raw bytes, stored once, answered fast, processed by a job."""
