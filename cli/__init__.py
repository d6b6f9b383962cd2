"""piecework, the command: an HTTP client of the API and nothing more of the project.

app (commands) ─> inputs (what to send) ─> client (HTTP) ─> watch (until it ends) ─> show, export (what came of it)
"""

__version__ = "0.1.0"
