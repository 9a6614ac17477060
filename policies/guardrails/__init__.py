"""CrossGuard policy pack of Polyphony: policies that check every preview and deployment, and the cost model.

The package imports nothing outside `policies/`, so the Pulumi CLI can run it as a separate process.
"""
