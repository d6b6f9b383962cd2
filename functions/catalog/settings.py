"""Settings of the catalog alone: which table of which warehouse is read, and what its columns are called."""

import re
from functools import cache
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from shared.settings import BadSettings, Environment, Mapping

FIELDS = ("content_id", "title", "url", "active", "language", "kind")
NEEDED = ("content_id", "url")
# What names of Databricks may not hold: their own quotes and what nobody sees; those of tables neither separators.
COLUMN = re.compile(r"[^`\x00-\x1f\x7f]{1,255}")
TABLE = re.compile(r"[^`./\x00-\x20\x7f]{1,255}")


def quoted(name: str, form: re.Pattern[str] = COLUMN) -> str:
    """A name as an identifier in a statement. Raises ValueError for one that could be anything else."""
    if not form.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a table or column")
    return f"`{name}`"


def _a_table(name: str) -> str:
    parts = name.split(".")
    if len(parts) > 3:
        raise ValueError("a table is named catalog.schema.table, schema.table or table")
    for part in parts:
        quoted(part, TABLE)
    return name


def _columns(columns: dict[str, str]) -> dict[str, str]:
    if unknown := set(columns) - set(FIELDS):
        raise ValueError(f"{', '.join(sorted(unknown))} is no field of a poster; there is: {', '.join(FIELDS)}")
    if missing := [field for field in NEEDED if not columns.get(field)]:
        raise ValueError(f"the column of {' and of '.join(missing)} is missing")
    for column in columns.values():
        quoted(column)
    return columns


class CatalogSettings(Environment):
    """The environment of the function catalog, beside shared.settings. docs/catalog.md has the same table."""

    databricks_host: str = Field(
        "", pattern="^(https?://[^/?#]+/?)?$", description="Databricks workspace, https://...; empty: no catalog"
    )
    databricks_warehouse_id: str = Field("", description="Id of the SQL warehouse that runs the statements")
    databricks_token: SecretStr = Field(SecretStr(""), description="Databricks access token (or a principal's)")
    catalog_table: Annotated[str, AfterValidator(_a_table)] = Field(
        "main.media.content_info", description="Table that is read, with its catalog and schema"
    )
    catalog_columns: Annotated[Mapping, AfterValidator(_columns)] = Field(
        {"content_id": "content_id", "title": "title", "url": "poster_url", "active": "is_active"},
        description='Its columns, as JSON: {"content_id": "...", "url": "...", ...}',
    )
    catalog_include_inactive: bool = Field(False, description="Take inactive posters in as well")
    catalog_page_rows: int = Field(5000, ge=1, le=50_000, description="Rows a statement asks for")
    catalog_hours: float = Field(24, ge=0, description="Hours from the start of one pass to the start of the next")
    catalog_disposition: Literal["INLINE", "EXTERNAL_LINKS"] = Field(
        "INLINE", description="How rows travel: `INLINE`, or by `EXTERNAL_LINKS`"
    )

    @property
    def is_on(self) -> bool:
        return bool(self.databricks_host)

    @property
    def source(self) -> str:
        """What a cursor belongs to: the same table of another workspace is another catalog."""
        return f"{self.databricks_host.rstrip('/')} {self.catalog_table}"


@cache
def catalog_settings() -> CatalogSettings:
    """Raises BadSettings with one line for the first setting that is missing or wrong."""
    known = CatalogSettings.read()
    if known.is_on and not (known.databricks_warehouse_id and known.databricks_token.get_secret_value()):
        raise BadSettings("DATABRICKS_HOST is set, so DATABRICKS_WAREHOUSE_ID and DATABRICKS_TOKEN must be set too")
    return known
