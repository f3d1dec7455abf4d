"""The headers of every answer, and what is read of those of a request."""

from collections.abc import Iterable, Sequence

Headers = Sequence[tuple[bytes, bytes]]

# `trusted-types`: the policy of lit-html, which makes the page's templates, and no other one.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types lit-html",
    )
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
NO_STORE = "no-store"
IMMUTABLE = "private, max-age=31536000, immutable"


def secured(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers of an answer with all security headers, which replace any of the same name.

    An answer that says nothing about caching isn't stored.
    """
    kept = [(name, value) for name, value in headers if name.decode("latin-1").lower() not in SECURITY_HEADERS]
    if not any(name.lower() == b"cache-control" for name, _ in kept):
        kept.append((b"cache-control", NO_STORE.encode()))
    return [*kept, *((name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items())]


def header_values(headers: Headers, name: str) -> list[str]:
    """All values of the header `name`, given in lower case."""
    wanted = name.encode()
    return [value.decode("latin-1") for key, value in headers if key.lower() == wanted]
