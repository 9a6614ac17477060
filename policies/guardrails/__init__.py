"""CrossGuard policy pack of Polyphony. The package imports nothing outside `policies/`, so it runs without the
program.
"""
