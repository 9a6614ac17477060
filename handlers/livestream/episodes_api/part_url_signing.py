"""Presigned URLs of the parts of a multipart upload, derived from the URL of its first part.

botocore needs 0.3 ms of processor time for each URL, because it validates and serializes each request. The URLs of one
upload differ only in part number and signature, so this module replaces these two, in a hundredth of the time. The
signature is Signature Version 4 in the query:
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
"""

import hashlib
import hmac
from urllib.parse import SplitResult, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
SIGNATURE = "X-Amz-Signature"


class SecretKeyChanged(Exception):
    """The first URL was not signed with the given secret key, because the credentials were renewed meanwhile."""


def sign_part_urls(first_url: str, secret_key: str, parts: int) -> list[str]:
    """Return the URLs of all parts. `first_url` is the URL of part 1, presigned with `secret_key`.

    Raise SecretKeyChanged if it was presigned with another key.
    """
    url = urlsplit(first_url)
    query = dict(parameter.split("=", 1) for parameter in url.query.split("&"))
    del query[SIGNATURE]
    scope = query["X-Amz-Credential"].split("%2F")[1:]
    key = f"AWS4{secret_key}".encode()
    for scope_part in scope:
        key = hmac.digest(key, scope_part.encode(), "sha256")
    urls = []
    for number in range(1, parts + 1):
        query["partNumber"] = str(number)
        signature = hmac.digest(key, _string_to_sign(url, query, "/".join(scope)).encode(), "sha256").hex()
        urls.append(url._replace(query=_to_text({**query, SIGNATURE: signature})).geturl())
    if urls[0] != first_url:
        raise SecretKeyChanged
    return urls


def _string_to_sign(url: SplitResult, query: dict[str, str], scope: str) -> str:
    request = f"PUT\n{url.path}\n{_to_text(dict(sorted(query.items())))}\nhost:{url.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    return f"{ALGORITHM}\n{query['X-Amz-Date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"


def _to_text(query: dict[str, str]) -> str:
    """Return the query string of parameters whose values are already encoded."""
    return "&".join(f"{name}={value}" for name, value in query.items())
