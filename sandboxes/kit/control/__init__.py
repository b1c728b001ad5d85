"""The control API under `/_sandbox/`: what a test may do that no API of a provider offers."""
