"""Lifetime of presigned S3 URLs and forms, which also end when the credentials that signed them expire.

A presigned URL or form cannot outlive these credentials, even if its own lifetime is longer (Amazon S3 user guide,
"Download and upload objects with presigned URLs"). A Lambda function signs with the credentials of its execution role.
Lambda documents no duration for them, and the maximum session duration of the role does not apply (AWS Lambda developer
guide, "Session duration for temporary security credentials"). So a client must always be able to request a new URL or
form. S3 answers with status 403 if the URL itself has expired, and with 400 and the code `ExpiredToken` if the
credentials have expired.
"""

PRESIGNED_SECONDS = 900
"""Lifetime of presigned URLs. It equals the shortest lifetime of credentials that AWS STS issues for a role
(AssumeRole), because a URL with a longer lifetime could outlive its credentials."""
