"""What a connection that fails means for the item: httpcore's errors, renamed once.

BROKEN: what a request or its body may raise | renamed(error, host) -> DomainFailed | twice(): connecting is tried again
"""

import ssl

import httpcore
import tenacity

from shared.errors import DomainFailed

_ERRORS = {
    httpcore.ConnectTimeout: ("timeout", "did not answer in time"),
    httpcore.TimeoutException: ("timeout", "did not answer in time"),
    httpcore.ConnectError: ("connection", "could not be reached"),
    httpcore.NetworkError: ("connection", "broke the connection"),
    httpcore.ProtocolError: ("bad_response", "does not speak HTTP as it should"),
    # Of a record after the handshake: httpcore lets it through as it is.
    ssl.SSLError: ("tls", "sends what does not decrypt"),
}
BROKEN = tuple(_ERRORS)


def twice() -> tenacity.AsyncRetrying:
    """Only connecting is tried a second time: it is free, and safe."""
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_is_retryable), stop=tenacity.stop_after_attempt(2), reraise=True
    )


def _is_retryable(error: BaseException) -> bool:
    connecting = isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout)
    return connecting and not _tls_error(error)


def renamed(error: Exception, host: str) -> DomainFailed:
    """For an error of BROKEN."""
    if tls := _tls_error(error):
        return DomainFailed("tls", f"{host} could not prove who it is: {tls.reason or tls}.")
    reason, what = next(words for kind, words in _ERRORS.items() if isinstance(error, kind))
    return DomainFailed(reason, f"{host} {what}.")


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """httpcore's pool cuts the cause off (`raise ... from None`), but each error carries it as argument."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, ssl.SSLError) else None
