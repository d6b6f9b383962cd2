-- Posters: how they come in (imports, the customer's catalog), and how what is known of them is asked for.

create table public.catalog_cursors (
  source text primary key,
  -- The content_id behind which a pass goes on; null: at the beginning.
  after text,
  rows bigint not null default 0,
  unusable bigint not null default 0,
  -- Whether this pass adds inactive posters too.
  take_inactive boolean not null default false,
  started_at timestamptz not null default public.moment(),
  updated_at timestamptz not null default public.moment(),
  finished_at timestamptz,
  problem text
);
comment on table public.catalog_cursors is
  'How far the function catalog has read each table. finished_at is null while a pass is under way.';

-- Where to go on, and whether there is anything to do: a pass that was begun goes on, a new one begins when the last
-- one began `refresh_seconds` ago, or now if `fresh`: then one under way ends, and a run at it finds its place moved.
create function public.catalog_begin_v1(
  catalog_source text, refresh_seconds double precision, fresh boolean, inactive_too boolean
) returns table (due boolean, after text, rows bigint)
language plpgsql volatile set search_path = '' as $$
begin
  insert into public.catalog_cursors (source) values (catalog_source) on conflict do nothing;
  update public.catalog_cursors c
    set after = null, rows = 0, unusable = 0, take_inactive = false, started_at = public.moment(), updated_at = public.moment(),
      finished_at = null
    where c.source = catalog_source
      and (fresh or c.finished_at is not null and c.started_at <= public.moment() - make_interval(secs => refresh_seconds));
  update public.catalog_cursors c set take_inactive = true
    where c.source = catalog_source and c.finished_at is null and inactive_too and not c.take_inactive;
  return query select c.finished_at is null, c.after, c.rows from public.catalog_cursors c where c.source = catalog_source;
end
$$;

-- Upsert by content_id. A value that is null or left out leaves what is there; a row that says nothing new is not touched.
-- Of two rows with one content_id the first counts. Without `take_inactive`, inactive posters are not added; without a
-- url none is.
create function public.keep_posters_v1(given jsonb[], from_source text, take_inactive boolean default true)
returns table (added integer, changed integer, unchanged integer)
language plpgsql volatile set search_path = '' as $$
declare
  total integer := (select count(distinct r ->> 'content_id') from unnest(given) as g (r));
  was_there integer;
begin
  -- In one order, so that two imports never wait for each other.
  perform from public.posters p
    where p.content_id = any (select r ->> 'content_id' from unnest(given) as g (r)) order by p.content_id for update;
  get diagnostics was_there = row_count;

  update public.posters p
    set title = coalesce(n.title, p.title), url = coalesce(n.url, p.url), active = coalesce(n.active, p.active),
      language = coalesce(n.language, p.language), kind = coalesce(n.kind, p.kind), updated_at = public.moment()
    from public.poster_rows(given) n
    where p.content_id = n.content_id
      and (coalesce(n.title, p.title), coalesce(n.url, p.url), coalesce(n.active, p.active),
           coalesce(n.language, p.language), coalesce(n.kind, p.kind))
        is distinct from (p.title, p.url, p.active, p.language, p.kind);
  get diagnostics changed = row_count;

  insert into public.posters (content_id, title, url, active, language, kind, source)
    select n.content_id, n.title, n.url, coalesce(n.active, true), n.language, n.kind, from_source
    from public.poster_rows(given) n
    where n.url is not null and (take_inactive or coalesce(n.active, true))
      and not exists (select from public.posters p where p.content_id = n.content_id)
    order by n.content_id
    on conflict (content_id) do nothing;
  get diagnostics added = row_count;
  unchanged := was_there - changed;
  return next;
end
$$;

-- The rows of an import, the first of each content_id.
create function public.poster_rows(given jsonb[])
returns table (content_id text, title text, url text, active boolean, language text, kind text)
language sql immutable set search_path = '' as $$
  select distinct on (r ->> 'content_id')
    r ->> 'content_id', r ->> 'title', r ->> 'url', (r ->> 'active')::boolean, r ->> 'language', r ->> 'kind'
  from unnest(given) with ordinality as g (r, place)
  order by r ->> 'content_id', place
$$;

-- A page of the catalog and the place behind it in one transaction. Nothing is kept, and `moved` is false, where another
-- run has moved on from `from_id` in the meantime.
create function public.catalog_keep_v1(
  catalog_source text, from_id text, to_id text, read_rows integer, unusable_rows integer, given jsonb[]
) returns table (moved boolean, added integer, changed integer)
language plpgsql volatile set search_path = '' as $$
declare
  inactive_too boolean;
begin
  update public.catalog_cursors c
    set after = to_id, rows = c.rows + read_rows, unusable = c.unusable + unusable_rows, updated_at = public.moment(), problem = null
    where c.source = catalog_source and c.finished_at is null and c.after is not distinct from from_id
    returning c.take_inactive into inactive_too;
  moved := found;
  added := 0;
  changed := 0;
  if moved then
    select k.added, k.changed into added, changed
      from public.keep_posters_v1(given, 'catalog', inactive_too) k;
  end if;
  return next;
end
$$;

-- Everything about one poster is found by its content_id; only poster's items write this index. Whoever sends a longer one
-- than the function takes has it refused there, not by the index.
create index items_of_poster on public.items (left(input ->> 'content_id', 200), owner, id desc) where function = 'poster';

-- How well overlays go on a poster: the mean of its zones' scores.
create function public.poster_score(zones jsonb) returns double precision
language sql immutable parallel safe set search_path = '' as $$
  select coalesce(avg((z ->> 'score')::double precision), 0)
  from jsonb_array_elements(case jsonb_typeof(zones) when 'array' then zones else '[]'::jsonb end) z
$$;
create index poster_analyses_score on public.poster_analyses (public.poster_score(zones), item_id);

-- Through which item a caller sees this analysis of a poster: the newest of his own that ended with an analysis, if it ended
-- with this one. A null caller is an operator, who sees everybody's, and by its own id an analysis whose items were deleted.
create function public.seen_through(analysis uuid, of_content text, caller uuid) returns uuid
language sql stable set search_path = '' as $$
  with newest as (
    select i.id, i.result_id
    from public.items i join public.poster_analyses a on a.item_id = i.result_id
    where i.function = 'poster' and left(i.input ->> 'content_id', 200) = of_content and i.state = 'done'
      and (caller is null or i.owner = caller)
    order by i.id desc limit 1
  )
  select n.id from newest n where n.result_id = analysis
  union all
  select a.item_id from (
    select p.item_id from public.poster_analyses p where p.content_id = of_content order by p.item_id desc limit 1
  ) a
  where caller is null and a.item_id = analysis and not exists (select from newest)
$$;

-- One poster as a caller sees it: how his newest item of it stands, and his newest analysis. The operator's table of posters is
-- told to operators alone (a null caller). No row: the caller has nothing of it.
create function public.poster_v1(wanted text, caller uuid, typed text[] default '{}') returns setof jsonb
language sql stable set search_path = '' as $$
  with own as materialized (
    select i.* from public.items i
    where i.function = 'poster' and left(i.input ->> 'content_id', 200) = wanted and (caller is null or i.owner = caller)
    order by i.id desc limit 100
  ), newest as (
    select * from own order by id desc limit 1
  ), analysis as (
    select a.zones, public.row_for_owner(to_jsonb(a), o::public.items, typed) as told
    from own o join public.poster_analyses a on a.item_id = o.result_id
    where o.state = 'done' order by o.id desc limit 1
  ), known as (
    select p.* from public.posters p where p.content_id = wanted and caller is null
  )
  select jsonb_build_object(
    'content_id', wanted,
    'title', coalesce(k.title, n.input ->> 'title'), 'url', coalesce(k.url, n.input ->> 'url'), 'active', k.active,
    'state', n.state, 'reason', n.reason, 'error', n.error, 'item_id', n.id, 'not_before', n.not_before,
    'finished_at', n.finished_at, 'score', public.poster_score(a.zones), 'analysis', a.told
  )
  from (select) as one
  left join newest n on true left join analysis a on true left join known k on true
  where n.id is not null or k.id is not null
$$;

-- Analyses a caller sees, the newest of each poster, a page at a time. `sort`: newest, score (the best first) or -score.
-- `after_id`: the item_id of the last analysis of the page before.
create function public.posters_v1(
  caller uuid, sort text, most integer, after_score double precision default null, after_id uuid default null,
  typed text[] default '{}'
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  page jsonb;
  behind text := case sort
    when 'score' then '(public.poster_score(a.zones), a.item_id) < ($3, $4)'
    when '-score' then '(public.poster_score(a.zones), a.item_id) > ($3, $4)'
    else 'a.item_id < $4' end;
  ordering text := case sort
    when 'score' then 'public.poster_score(a.zones) desc, a.item_id desc'
    when '-score' then 'public.poster_score(a.zones), a.item_id'
    else 'a.item_id desc' end;
  -- Analyses stand in the order of the items that made them, which are not told to whoever was given their result.
  place uuid := coalesce((select i.result_id from public.items i where i.id = after_id and i.owner = caller), after_id);
begin
  execute format(
    'select coalesce(jsonb_agg(l.line), ''[]'') from (select jsonb_build_object(
       ''content_id'', a.content_id, ''title'', case when $1 is null then p.title else i.input ->> ''title'' end,
       ''url'', coalesce(i.input ->> ''url'', a.url), ''active'', p.active, ''state'', ''done'',
       ''score'', public.poster_score(a.zones),
       ''analysis'', case when i.id is null then to_jsonb(a) else public.row_for_owner(to_jsonb(a), i, $5) end)
     from public.poster_analyses a
     cross join lateral public.seen_through(a.item_id, a.content_id, $1) as s (item_id)
     left join public.items i on i.id = s.item_id
     left join public.posters p on p.content_id = a.content_id and $1 is null
     where s.item_id is not null and ($4 is null or %s)
     order by %s limit $2) l (line)', behind, ordering)
  into page using caller, most, after_score, place, typed;
  return page;
end
$$;

-- Rows of posters in their order. With `unseen`, those whose present url no item has had since it is theirs.
create function public.posters_listed_v1(after bigint, most integer, with_inactive boolean, unseen boolean)
returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(l.line), '[]') from (select to_jsonb(p) from public.posters p
  where p.id > after and (with_inactive or p.active)
    and (not unseen or not exists (
      select from public.items i
      where i.function = 'poster' and left(i.input ->> 'content_id', 200) = p.content_id and i.input ->> 'url' = p.url
        and i.state <> 'cancelled' and i.created_at >= coalesce(p.url_changed_at, '-infinity')))
  order by p.id limit most) l (line)
$$;
