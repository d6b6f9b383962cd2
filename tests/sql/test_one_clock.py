"""One function reads the clock and one makes ids, so that time can be moved in one place."""

from .world import World

CLOCK = (
    r"\m(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\("
    r"|\m(current_timestamp|current_time|current_date|localtimestamp|localtime)\M"
)
IDS = r"\m(gen_random_uuid|uuidv[47]|uuid_generate_\w+)\s*\("
# What the migrations made that is evaluated: functions, column defaults and views. No extension's own.
EVALUATED = """
select p.proname::text as name, p.prosrc as source from pg_proc p
where p.pronamespace = 'public'::regnamespace
  and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
union all
select d.adrelid::regclass::text || ' (default)', pg_get_expr(d.adbin, d.adrelid)
from pg_attrdef d join pg_class c on c.oid = d.adrelid where c.relnamespace = 'public'::regnamespace
union all
select c.relname, pg_get_viewdef(c.oid) from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'
"""


def users(world: World, pattern: str) -> set[str]:
    found = world.rows(
        f"select name from ({EVALUATED}) e where regexp_replace(source, '--[^\\n]*', '', 'g') ~* %s", pattern
    )
    return {row["name"] for row in found}


def test_the_clock_is_read_by_moment_alone(world: World):
    assert users(world, CLOCK) == {"moment"}


def test_ids_are_made_by_new_id_alone(world: World):
    assert users(world, IDS) == {"new_id"}


def test_what_moment_says_holds_for_all_that_is_written(world: World):
    with world.db.transaction(force_rollback=True):
        world.as_owner(
            "create or replace function public.moment() returns timestamptz language sql volatile set search_path = '' "
            "as $$ select '2031-05-06 07:08:09.123456+00'::timestamptz $$"
        )

        item = world.item(batch=world.batch())
        written = world.state(item)
        (made,) = world.rows("select id::text, extract(epoch from created_at) as at from items where id = %s", item)

    assert written["created_at"].isoformat() == "2031-05-06T07:08:09.123456+00:00"
    assert int(made["id"].replace("-", "")[:12], 16) == int(made["at"] * 1000)
