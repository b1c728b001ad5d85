"""Signing in, registering, passwords, the profile, two-step sign-in, and the device's language and theme."""
