"""Lifetime of presigned S3 URLs and forms, which the credentials of the function limit.

A presigned URL or form ends with the credentials that signed it, whatever its own lifetime says (Amazon S3 user guide,
"Download and upload objects with presigned URLs"). A function signs with the credentials of its execution role. Lambda
documents no duration for them, and the maximum session duration of the role does not apply (AWS Lambda developer guide,
"Session duration for temporary security credentials"). So a client must always be able to request a new URL or form.
S3 answers 403 if the URL has expired, and 400 with the code `ExpiredToken` if the credentials have.
"""

PRESIGNED_SECONDS = 900
"""Lifetime of presigned URLs and forms. It is the shortest session of a role that AWS STS issues (AssumeRole)."""
