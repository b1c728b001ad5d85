"""One call at a provider: intent, attempts, outcome."""
