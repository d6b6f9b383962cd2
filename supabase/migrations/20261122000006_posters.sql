-- Posters: the backlog of the function poster, and what it found on each.

create table public.posters (
  id bigint generated always as identity primary key,
  content_id text not null unique check (content_id <> ''),
  title text,
  url text not null,
  active boolean not null default true,
  language text,
  kind text,
  source text not null default 'import' check (source in ('import', 'catalog', 'api')),
  created_at timestamptz not null default public.moment(),
  updated_at timestamptz not null default public.moment(),
  -- Null: it has its first address.
  url_changed_at timestamptz
);
comment on table public.posters is 'The backlog of the function poster: one poster per content, the newest address counts.';

create function public.note_poster_change() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.updated_at := public.moment();
  if new.url is distinct from old.url then
    new.url_changed_at := new.updated_at;
  end if;
  return new;
end
$$;
create trigger poster_changed before update on public.posters
  for each row when (old.* is distinct from new.*) execute function public.note_poster_change();

create table public.poster_analyses (
  item_id uuid primary key,
  content_id text not null,
  url text not null,
  image jsonb not null,
  elements jsonb not null,
  title jsonb,
  zones jsonb not null,
  recommended jsonb not null,
  crops jsonb not null,
  quality jsonb not null,
  thumbnail text not null,
  model text not null,
  prompt_version text not null,
  slots_version text not null,
  tokens_in integer not null,
  tokens_out integer not null,
  cost_usd numeric(14, 8) not null,
  latency_ms integer not null,
  attempts integer not null,
  created_at timestamptz not null default public.moment()
);
create index poster_analyses_newest on public.poster_analyses (content_id, created_at desc);
create index poster_analyses_image on public.poster_analyses ((image ->> 'sha256'));
comment on table public.poster_analyses is 'One row per analysis; docs/posters.md says what it means.';

-- A poster whose address changes is analysed again, also when it changes back.
create view public.poster_backlog with (security_invoker = true) as
select p.id as source_id, k.source_key,
  jsonb_build_object('content_id', p.content_id, 'title', p.title, 'url', p.url) as input
from public.posters p
cross join lateral (
  select concat_ws(':', 'posters', p.id, md5(p.url), extract(epoch from p.url_changed_at)) as source_key
) k
where p.active
  and not exists (
    select from public.items i
    where i.function = 'poster' and i.source_key = k.source_key and i.state <> 'cancelled'
  );
comment on view public.poster_backlog is 'Active posters that were not enlisted since they have their present address.';
