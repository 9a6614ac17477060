"""The guardrails of Polyphony as a CrossGuard pack. Self-contained: nothing outside `policies/` is imported."""
