"""shared: what every function stands on.

All clients speak HTTP/1.1. httpcore and the SDKs that bring a copy of it load the library for HTTP/2 wherever it is
installed, 65 ms of a cold start: so they are told that there is none.
"""

import sys

sys.modules.setdefault("h2", None)  # type: ignore[arg-type]
