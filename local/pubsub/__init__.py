"""pubsub: Google Pub/Sub for one machine. `python -m local.pubsub --port 8603 --topic fanout` runs it.

Publish ─> service ─> broker ─> store (SQLite): one message, one delivery for each subscription
                        └─ wakes ─> push: claim, OIDC token, POST, ack or nack with backoff
                        └─ wakes ─> pull and streaming_pull: claim, hand over, wait for the acknowledgement

Where Google's own emulator is on the machine it runs instead, and pushes through `signing`, which adds the
token that it leaves out.
"""
