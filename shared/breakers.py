"""Breakers: which upstreams does an attempt speak for, and did they do well?

The state of a breaker lives in the database (claim_v1, keep_v1), shared by all instances. This is the pure part: what
an attempt tells about its web domain and its quota. A 429 speaks for neither: it is an answer, not an illness.
"""

from collections.abc import Mapping

from shared.errors import DomainFailed, ModelFailed


def health(
    error: BaseException | None, *, domain: str | None, quota: str | None, fetched: bool, asked: bool
) -> Mapping[str, bool]:
    """{breaker name: healthy}. `fetched` and `asked`: the domain, the model did answer in this attempt."""
    said = {}
    if domain and (fetched or isinstance(error, DomainFailed)):
        said[f"domain:{domain}"] = not isinstance(error, DomainFailed)
    if quota and (asked or isinstance(error, ModelFailed)):
        said[f"quota:{quota}"] = not isinstance(error, ModelFailed)
    return said
