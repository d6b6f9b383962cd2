"""What Supabase's advisor looks for in a project, asked here of the migrated database: no rule finds anything.

One finding is meant, and is none here: tables with row level security and no policy (rls_enabled_no_policy, which the
advisor lists as information). Only the service role comes in, and it passes by row level security.
"""

import pytest

from .world import World

OURS = "'public'::regnamespace"
NO_EXTENSION = "not exists (select from pg_depend d where d.objid = {}.oid and d.deptype = 'e')"
RULES = {
    # Nowhere but in what the name itself says, which is more than the advisor asks.
    "function_search_path_mutable": f"""
        select p.proname from pg_proc p
        where p.pronamespace = {OURS} and {NO_EXTENSION.format("p")}
          and not coalesce('search_path=""' = any (p.proconfig), false)
    """,
    "security_definer_function": f"""
        select p.proname from pg_proc p
        where p.pronamespace = {OURS} and {NO_EXTENSION.format("p")} and p.prosecdef
    """,
    "rls_disabled_in_public": f"""
        select c.relname from pg_class c
        where c.relnamespace = {OURS} and c.relkind in ('r', 'p') and not c.relrowsecurity
    """,
    "policy_exists": "select p.policyname from pg_policies p where p.schemaname = 'public'",
    "security_definer_view": f"""
        select c.relname from pg_class c
        where c.relnamespace = {OURS} and c.relkind = 'v'
          and not coalesce('security_invoker=true' = any (c.reloptions), false)
    """,
    "materialized_view_or_foreign_table_in_api": f"""
        select c.relname from pg_class c where c.relnamespace = {OURS} and c.relkind in ('m', 'f')
    """,
    "extension_in_public": f"select e.extname from pg_extension e where e.extnamespace = {OURS}",
    # Differences are only added and folded away, never looked up one by one.
    "no_primary_key": f"""
        select c.relname from pg_class c
        where c.relnamespace = {OURS} and c.relkind in ('r', 'p')
          and c.relname not in ('item_changes', 'attempt_changes')
          and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
    """,
    "duplicate_index": f"""
        select min(c.relname) from pg_index i join pg_class c on c.oid = i.indexrelid
        where c.relnamespace = {OURS}
        group by i.indrelid, i.indkey::text, i.indclass::text, i.indoption::text, i.indisunique,
          pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)
        having count(*) > 1
    """,
}


@pytest.mark.parametrize("rule", RULES)
def test_the_advisor_finds_nothing_by(world: World, rule: str):
    assert world.rows(RULES[rule]) == []


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ("function_search_path_mutable", "create function public.f() returns int language sql as 'select 1'"),
        (
            "security_definer_function",
            "create function public.f() returns int language sql security definer as 'select 1'",
        ),
        ("rls_disabled_in_public", "create table public.t (id int primary key)"),
        ("policy_exists", "create policy open on public.items for select using (true)"),
        ("security_definer_view", "create view public.v as select 1 as one"),
        ("materialized_view_or_foreign_table_in_api", "create materialized view public.m as select 1 as one"),
        ("extension_in_public", "create extension hstore schema public"),
        ("no_primary_key", "create table public.t (id int)"),
        ("duplicate_index", "create index again on public.items (batch_id, id)"),
    ],
)
def test_the_rule_would_find(world: World, rule: str, mistake: str):
    with world.db.transaction(force_rollback=True):
        world.db.execute("reset role")
        if "extension" in mistake and not world.rows("select from pg_available_extensions where name = 'hstore'"):
            pytest.skip("this Postgres has no extension to put in the wrong place")
        world.db.execute(mistake)

        assert len(world.rows(RULES[rule])) == 1
