"""Hosted pages: onboarding, card payment, 3-D Secure, and the script for pages of one's own."""
