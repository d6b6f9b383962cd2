"""What Supabase's advisor looks for in a project, asked here of the migrated database."""

from .world import World


def test_every_function_says_where_its_names_are_looked_up(world: World):
    """The advisor's function_search_path_mutable, and more: nowhere but in what the name itself says."""
    mutable = world.rows(
        """
        select p.proname from pg_proc p
        where p.pronamespace = 'public'::regnamespace
          and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
          and not coalesce('search_path=""' = any (p.proconfig), false)
        """
    )

    assert mutable == []
