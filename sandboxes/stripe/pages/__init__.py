"""Hosted pages (onboarding, card payment, 3-D Secure), and the script for a platform's own pages."""
