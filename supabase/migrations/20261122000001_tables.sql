-- What Piecework knows: batches of items, their attempts and results, and the state of every upstream.
-- Only the service role reads or writes; row level security stands everywhere with no policy, so nobody else sees a row.

-- What this role makes here from now on is the service role's and nobody else's, whatever the project gives by default: new
-- projects give nothing to anybody, older ones everything to all three. Only PUBLIC keeps its right to execute new functions,
-- which no rule for one schema can take away: a migration that makes functions revokes it, and a test looks.
grant usage on schema public to service_role;
alter default privileges in schema public grant select, insert, update, delete on tables to service_role;
alter default privileges in schema public grant usage, select on sequences to service_role;
alter default privileges in schema public grant execute on functions to service_role;
alter default privileges in schema public revoke all on tables from anon, authenticated;
alter default privileges in schema public revoke all on sequences from anon, authenticated;
alter default privileges in schema public revoke execute on functions from anon, authenticated;

-- The one place that reads the clock: move this, and the whole engine lives at another time. Unlike now() it moves on
-- within a transaction: what has to be of one moment keeps it in a variable, or asks once by (select public.moment()).
create function public.moment() returns timestamptz
language plpgsql volatile parallel safe set search_path = '' as $$ begin return clock_timestamp(); end $$;

-- Time-ordered ids (UUID version 7, microseconds in rand_a): a million inserts land at the end of the index, and the
-- items of a batch keep the order they came in. Built in from Postgres 18 on.
create function public.new_id() returns uuid
language plpgsql volatile set search_path = '' as $$
declare
  micros bigint := extract(epoch from public.moment()) * 1000000;
begin
  return encode(
    overlay(
      uuid_send(gen_random_uuid())
      -- 48 bits of milliseconds, the version, 12 bits of the millisecond's fraction
      placing int8send((micros / 1000 << 16) | 28672 | (micros % 1000 * 4096 / 1000))
      from 1 for 8
    ),
    'hex'
  )::uuid;
end
$$;

create table public.api_keys (
  id uuid primary key default public.new_id(),
  name text not null check (name <> ''),
  key_hash text not null unique check (key_hash ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null default public.moment(),
  revoked_at timestamptz
);
comment on table public.api_keys is 'Callers of the API. Only the SHA-256 of a key is kept.';

create table public.batches (
  id uuid primary key default public.new_id(),
  function text not null,
  source text not null check (source in ('items', 'backlog')),
  owner uuid references public.api_keys (id),
  state text not null default 'accepting' check (state in ('accepting', 'open', 'cancelled')),
  idempotency_key text,
  body_hash text,
  options jsonb not null default '{}',
  duplicates integer not null default 0,
  created_at timestamptz not null default public.moment(),
  -- The fan-out's heartbeat: the sweep leaves a batch alone while its own fan-out is at work.
  fanned_at timestamptz,
  unique (owner, idempotency_key)
);
create index batches_newest on public.batches (owner, id desc);
comment on column public.batches.state is
  'accepting: items are still coming in; open: complete, progress is counted from its items';

create table public.quotas (
  name text primary key,
  requests_per_minute double precision not null check (requests_per_minute > 0),
  tokens_per_minute double precision check (tokens_per_minute > 0),
  -- How fast its queue hands out tasks; null: as fast as requests.
  dispatches_per_minute double precision check (dispatches_per_minute > 0),
  max_concurrent integer not null default 40 check (max_concurrent > 0),
  -- When the next request, and the next token, may go out; see pace in claim_v1.
  request_slot timestamptz not null default '-infinity',
  token_slot timestamptz not null default '-infinity',
  -- When to send back what came too early.
  tail timestamptz not null default '-infinity',
  rests_until timestamptz not null default '-infinity',
  rest_reason text
);
comment on table public.quotas is 'One upstream limit each, written in functions/quotas.yaml, and where its pace stands.';

create table public.breakers (
  name text primary key check (name ~ '^(domain|quota):.+'),
  state text not null default 'closed' check (state in ('closed', 'open', 'half_open')),
  failures integer not null default 0,
  successes integer not null default 0,
  window_ends timestamptz not null,
  rests_until timestamptz not null default '-infinity',
  probe_holder uuid,
  probe_until timestamptz,
  reason text
);
create index breakers_probed on public.breakers (probe_holder) where probe_holder is not null;
comment on table public.breakers is 'Upstreams that failed lately. A healthy upstream has no row.';

-- Who owns what belongs to no key: scheduled runs and backlogs. An operator's key acts for this owner.
create function public.operator_id() returns uuid
language sql immutable parallel safe set search_path = '' as $$ select '00000000-0000-0000-0000-00000000000f'::uuid $$;

create table public.items (
  id uuid primary key default public.new_id(),
  batch_id uuid not null references public.batches (id) on delete cascade,
  -- The batch's, written by enlist_v1.
  owner uuid not null default public.operator_id(),
  function text not null,
  quota text not null references public.quotas (name),
  state text not null default 'waiting'
    check (state in ('waiting', 'running', 'done', 'skipped', 'dead', 'cancelled')),
  attempts integer not null default 0,
  deferrals integer not null default 0,
  input jsonb not null,
  input_key text not null,
  domain text,
  custom_id text,
  source_key text,
  fresh boolean not null default false,
  memo jsonb not null default '{}',
  created_at timestamptz not null default public.moment(),
  -- Since when a task stands for the item in its queue; null: it still needs one.
  queued_at timestamptz,
  not_before timestamptz,
  leased_until timestamptz,
  finished_at timestamptz,
  holder uuid,
  fingerprint bytea,
  -- What the input turned out to hold, where its work found out: the same under many inputs is paid for once.
  content_key bytea,
  -- The item whose row is this one's result: itself, or an earlier one with the same fingerprint.
  result_id uuid,
  reason text,
  error text,
  validators jsonb,
  tokens_in bigint not null default 0,
  tokens_out bigint not null default 0,
  cost_usd numeric(14, 8) not null default 0,
  unique (batch_id, input_key),
  -- Backlogs are the operator's, and so is all that comes from them.
  constraint items_from_backlogs check (source_key is null or owner = public.operator_id())
);
-- Every change of an item writes a new entry into each index whose rows it belongs to, so there are few for all rows:
-- progress is counted over items_of_batch, as it reads the sums from the rows anyway.
create index items_of_batch on public.items (batch_id, id);
create index items_gone_wrong on public.items (batch_id, id) where state in ('skipped', 'dead');
create index items_live on public.items (function, input_key, owner) where state in ('waiting', 'running');
create index items_unqueued on public.items (batch_id, id) where state = 'waiting' and queued_at is null;
create index items_waiting on public.items (quota, queued_at) where state = 'waiting';
create index items_running on public.items (quota, leased_until) where state = 'running';
create index items_kept on public.items (fingerprint, finished_at) where state = 'done';
create index items_content on public.items (content_key) where content_key is not null;
create unique index items_source on public.items (function, source_key)
  where source_key is not null and state <> 'cancelled';

create table public.attempts (
  item_id uuid not null references public.items (id) on delete cascade,
  holder uuid not null,
  attempt integer not null,
  outcome text not null,
  reason text,
  error text,
  model_calls integer not null default 0,
  tokens_in integer not null default 0,
  tokens_out integer not null default 0,
  cost_usd numeric(14, 8) not null default 0,
  -- The model was asked and did not answer: what was reserved stands for what it may have cost.
  estimated boolean not null default false,
  seconds double precision,
  ended_at timestamptz not null default public.moment(),
  primary key (item_id, holder)
);
comment on table public.attempts is 'Every attempt that told how it ended. One that died silently leaves no row.';

create table public.news_urls (
  id bigint generated always as identity primary key,
  url text not null unique,
  active boolean not null default true,
  created_at timestamptz not null default public.moment()
);
comment on table public.news_urls is 'The backlog of the function article: insert URLs here.';

create table public.article_summaries (
  item_id uuid primary key,
  url text not null,
  final_url text not null,
  url_key text not null,
  title text not null,
  summary text not null,
  key_points jsonb not null,
  entities jsonb not null,
  topics jsonb not null,
  sentiment text not null,
  language text,
  author text,
  published_at timestamptz,
  word_count integer,
  extraction_quality double precision,
  content_hash text,
  etag text,
  last_modified text,
  read_by text not null check (read_by in ('fetch', 'url_context')),
  model text not null,
  prompt_version text not null,
  tokens_in integer not null,
  tokens_out integer not null,
  cost_usd numeric(14, 8) not null,
  latency_ms integer not null,
  attempts integer not null,
  created_at timestamptz not null default public.moment()
);
-- By its hash: percent-encoded an address may be longer than an ordered index takes.
create index article_summaries_url on public.article_summaries using hash (url_key);

-- A function's backlog is a view BACKLOG(source_id, source_key, input) named in its manifest.
create view public.article_backlog with (security_invoker = true) as
select n.id as source_id, 'news_urls:' || n.id as source_key, jsonb_build_object('url', n.url) as input
from public.news_urls n
where n.active
  and not exists (
    select from public.items i
    where i.function = 'article' and i.source_key = 'news_urls:' || n.id and i.state <> 'cancelled'
  );
comment on view public.article_backlog is 'Rows of news_urls that were never enlisted, so have no summary yet.';
