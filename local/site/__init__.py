"""The sample web: every host of the sample job, played by one server that goes by the Host header; posters too.

    samples/articles/*.md ──> articles ──> layouts ──> pages ─┐
    samples/site.yaml ─────> answers, hostile ────────────────┴─> samples.read_web ──> app ──> server

`python -m local.site --port 8605 --samples samples`; open http://127.0.0.1:8605/ to look around.
"""
