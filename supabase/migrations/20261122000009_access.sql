-- Nobody but the service role: row level security without a policy, and no rights for the public roles.
do $$
declare
  target text;
begin
  for target in select c.oid::regclass::text from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
  loop
    execute format('alter table %s enable row level security', target);
  end loop;
end
$$;

revoke all on all tables in schema public from public, anon, authenticated;
revoke all on all sequences in schema public from public, anon, authenticated;
revoke execute on all functions in schema public from public, anon, authenticated;
grant select, insert, update, delete on all tables in schema public to service_role;
grant execute on all functions in schema public to service_role;
-- What later migrations make. PUBLIC keeps its right to execute new functions, which no rule for one schema can take away:
-- a migration that makes functions revokes it, and a test looks.
alter default privileges in schema public revoke all on tables from anon, authenticated;
alter default privileges in schema public revoke all on sequences from anon, authenticated;
alter default privileges in schema public revoke execute on functions from anon, authenticated;
