"""Exceptions with which the summary function fails. The Step Functions workflow recognises them by their class names.

No message contains data of a meeting.
"""


class SummaryBusy(Exception):
    """A model is throttled, unavailable or slow, or S3 failed. The workflow retries the function later."""


class SummaryFailed(Exception):
    """No summary can be written until a setting, a permission or the recording changes, so the workflow gives up."""
