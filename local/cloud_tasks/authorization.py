"""The Authorization header of a dispatch: an ID token of the local issuer, made when the attempt is sent."""

import sys
from collections import OrderedDict

from local.cloud_tasks.clock import Clock
from local.cloud_tasks.messages import Message
from local.oidc import Issuer

# A signature costs most of a millisecond, so a token is used for a few minutes of its hour.
_REUSE_SECONDS = 300.0
_KEPT = 1000


class Authorization:
    """Makes tokens with `issuer`; without one, tasks go out with no ID token, and a line says so once."""

    def __init__(self, issuer: Issuer | None, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._tokens: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        self._warned = False

    def header(self, source: Message, url: str) -> str | None:
        """Return the header's value for an HttpRequest or HttpTarget; the audience defaults to the URL."""
        if source.HasField("oidc_token"):
            oidc = source.oidc_token
            return self._id_token(oidc.service_account_email, oidc.audience or url)
        if source.HasField("oauth_token"):
            # Only googleapis.com can judge an access token; here it is a name with no power.
            return f"Bearer local-access-token-of-{source.oauth_token.service_account_email}"
        return None

    def _id_token(self, email: str, audience: str) -> str | None:
        if self._issuer is None:
            self._warn()
            return None
        now = self._clock.time()
        token, made = self._tokens.get((email, audience), ("", float("-inf")))
        if not now - _REUSE_SECONDS < made <= now:
            token = f"Bearer {self._issuer.token(email, audience)}"
            self._remember((email, audience), token, now)
        return token

    def _remember(self, key: tuple[str, str], token: str, now: float) -> None:
        self._tokens[key] = token, now
        self._tokens.move_to_end(key)
        if len(self._tokens) > _KEPT:
            self._tokens.popitem(last=False)

    def _warn(self) -> None:
        if not self._warned:
            print("cloud tasks: no --oidc-key, so tasks are sent without their ID token", file=sys.stderr)
        self._warned = True
