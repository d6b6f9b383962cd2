-- What people ask: how far is a batch, what came out, how is the engine.

-- Tallies: how many items are in which state and what the attempts took, known without reading them.
--
-- Whoever changes items writes the difference down in the same transaction. Differences are rows that are only added, so
-- nobody waits for anybody, and their sum is at every moment what a count of the items would be.
-- fold_tallies_v1 adds up what is older than a minute; the younger rows tell what happened in the last minute.
-- scope: a batch, its owner, or all there is (everything).
create function public.everything() returns uuid
language sql immutable set search_path = '' as $$ select '00000000-0000-0000-0000-000000000000'::uuid $$;

create table public.item_changes (
  scope uuid not null,
  function text not null,
  quota text not null,
  state text not null,
  -- Of what ended without a row, and 'cached'; else empty.
  reason text not null,
  items bigint not null,
  attempts bigint not null,
  cached bigint not null,
  -- Of the dead: somebody has looked at them and wants to see them no more.
  discarded bigint not null,
  tokens_in bigint not null,
  tokens_out bigint not null,
  cost_usd numeric not null,
  at timestamptz not null default public.moment()
);
create index item_changes_of on public.item_changes (scope);

create table public.item_tallies (
  like public.item_changes,
  primary key (scope, state, function, quota, reason)
);
create index item_tallies_over on public.item_tallies (scope) where items = 0;
comment on column public.item_tallies.at is 'When the last item came in.';

create view public.item_counts with (security_invoker = true) as
select * from public.item_changes union all select * from public.item_tallies;

create table public.attempt_changes (
  scope uuid not null,
  function text not null,
  quota text not null,
  outcome text not null,
  -- How long it took: the place in duration_bounds; 0: no time at all, as for a cached item.
  bucket integer not null,
  attempts bigint not null,
  seconds double precision not null,
  model_calls bigint not null,
  tokens_in bigint not null,
  tokens_out bigint not null,
  cost_usd numeric not null,
  -- Of cost_usd: what was reserved for calls that were never answered.
  estimated_usd numeric not null,
  at timestamptz not null default public.moment()
);
create index attempt_changes_of on public.attempt_changes (scope, at);

-- By the minute for two hours, then by the day (UTC), after forty days all in one (-infinity).
create table public.attempt_tallies (
  like public.attempt_changes,
  primary key (scope, at, function, quota, outcome, bucket)
);
create index attempt_tallies_at on public.attempt_tallies (at);

create view public.attempt_counts with (security_invoker = true) as
select * from public.attempt_changes union all select * from public.attempt_tallies;

-- Seconds, in steps of the E6 series (IEC 60063): each about half as much again as the one before.
create function public.duration_bounds() returns double precision[]
language sql immutable set search_path = '' as $$
  select array[
    0, 0.01, 0.015, 0.022, 0.033, 0.047, 0.068, 0.1, 0.15, 0.22, 0.33, 0.47, 0.68, 1, 1.5, 2.2, 3.3, 4.7, 6.8,
    10, 15, 22, 33, 47, 68, 100, 150, 220, 330, 470, 680
  ]::double precision[]
$$;

create function public.tally_items() returns trigger
language plpgsql set search_path = '' as $$
declare
  -- The scope is the batch here.
  changes public.item_changes[] := '{}';
begin
  if tg_op <> 'DELETE' then
    changes := array(
      select row(i.batch_id, i.function, i.quota, i.state, i.reason, count(*), sum(i.attempts),
        count(*) filter (where i.state = 'done' and i.result_id <> i.id),
        count(*) filter (where i.state = 'dead' and i.discarded_at is not null), sum(i.tokens_in), sum(i.tokens_out),
        sum(i.cost_usd), null)::public.item_changes
      from new_rows i group by i.batch_id, i.function, i.quota, i.state, i.reason
    );
  end if;
  if tg_op <> 'INSERT' then
    changes := changes || array(
      select row(i.batch_id, i.function, i.quota, i.state, i.reason, -count(*), -sum(i.attempts),
        -count(*) filter (where i.state = 'done' and i.result_id <> i.id),
        -count(*) filter (where i.state = 'dead' and i.discarded_at is not null), -sum(i.tokens_in), -sum(i.tokens_out),
        -sum(i.cost_usd), null)::public.item_changes
      from old_rows i group by i.batch_id, i.function, i.quota, i.state, i.reason
    );
  end if;
  perform public.add_item_changes(changes);
  return null;
end
$$;

create function public.told_reason(state text, reason text) returns text
language sql immutable set search_path = '' as $$
  select case when state in ('skipped', 'dead') or reason = 'cached' then coalesce(reason, '') else '' end
$$;

create function public.add_item_changes(changes public.item_changes[]) returns void
language plpgsql set search_path = '' as $$
begin
  with scoped as (
    select s.scope, c.function, c.quota, c.state, r.reason, sum(c.items) as items, sum(c.attempts) as attempts,
      sum(c.cached) as cached, sum(c.discarded) as discarded, sum(c.tokens_in) as tokens_in, sum(c.tokens_out) as tokens_out, sum(c.cost_usd) as cost_usd
    from unnest(changes) c
    cross join lateral (select public.told_reason(c.state, c.reason) as reason) r
    left join public.batches b on b.id = c.scope
    cross join lateral (values (c.scope), (b.owner), (public.everything())) as s (scope)
    where s.scope is not null
    group by s.scope, c.function, c.quota, c.state, r.reason
  ),
  items_changed as (
    insert into public.item_changes (scope, function, quota, state, reason, items, attempts, cached, discarded,
      tokens_in, tokens_out, cost_usd)
    select * from scoped s
    where s.items <> 0 or s.attempts <> 0 or s.cached <> 0 or s.discarded <> 0 or s.tokens_in <> 0 or s.tokens_out <> 0
      or s.cost_usd <> 0
  )
  -- What was given an earlier result made no attempt, and is done all the same.
  insert into public.attempt_changes (scope, function, quota, outcome, bucket, attempts, seconds, model_calls, tokens_in, tokens_out, cost_usd,
    estimated_usd)
  select s.scope, s.function, s.quota, 'cached', 0, s.items, 0, 0, 0, 0, 0, 0
  from scoped s
  where s.state = 'done' and s.reason = 'cached' and s.items > 0 and s.scope <> all (array(select c.scope from unnest(changes) c));
end
$$;

create function public.tally_attempts() returns trigger
language plpgsql set search_path = '' as $$
begin
  insert into public.attempt_changes
  select s.scope, i.function, i.quota, a.outcome,
    case when a.seconds is null then 0 else width_bucket(a.seconds, public.duration_bounds()) end as bucket,
    count(*), coalesce(sum(a.seconds), 0), sum(a.model_calls), sum(a.tokens_in), sum(a.tokens_out), sum(a.cost_usd),
    coalesce(sum(a.cost_usd) filter (where a.estimated), 0), a.ended_at
  from new_rows a
  join public.items i on i.id = a.item_id
  join public.batches b on b.id = i.batch_id
  cross join lateral (values (b.owner), (public.everything())) as s (scope)
  where s.scope is not null
  group by s.scope, i.function, i.quota, a.outcome, bucket, a.ended_at;
  return null;
end
$$;

create trigger tally_new_items after insert on public.items
referencing new table as new_rows for each statement execute function public.tally_items();
create trigger tally_changed_items after update on public.items
referencing old table as old_rows new table as new_rows for each statement execute function public.tally_items();
create trigger tally_deleted_items after delete on public.items
referencing old table as old_rows for each statement execute function public.tally_items();
create trigger tally_attempts after insert on public.attempts
referencing new table as new_rows for each statement execute function public.tally_attempts();

create function public.clear_tallies() returns trigger
language plpgsql set search_path = '' as $$
begin
  execute format('truncate public.%I_changes, public.%I_tallies', tg_argv[0], tg_argv[0]);
  return null;
end
$$;
create trigger clear_item_tallies after truncate on public.items for each statement execute function public.clear_tallies('item');
create trigger clear_attempt_tallies after truncate on public.attempts
for each statement execute function public.clear_tallies('attempt');

-- While the batch still tells whose its items are.
create function public.delete_items() returns trigger
language plpgsql set search_path = '' as $$
begin
  delete from public.items i where i.batch_id = old.id;
  return old;
end
$$;
create trigger delete_items before delete on public.batches for each row execute function public.delete_items();

-- Adds up what is older than a minute. The sweep and whoever reads metrics call it; one at a time.
create function public.fold_tallies_v1() returns void
language plpgsql set search_path = '' as $$
declare
  moment timestamptz := public.moment();
begin
  if not pg_try_advisory_xact_lock(hashtext('fold_tallies_v1')) then
    return;
  end if;
  with old as (
    delete from public.item_changes c where c.at < moment - interval '1 minute' returning c.*
  )
  insert into public.item_tallies as t
  select o.scope, o.function, o.quota, o.state, o.reason, sum(o.items), sum(o.attempts), sum(o.cached), sum(o.discarded), sum(o.tokens_in),
    sum(o.tokens_out), sum(o.cost_usd), coalesce(max(o.at) filter (where o.items > 0), '-infinity')
  from old o group by o.scope, o.function, o.quota, o.state, o.reason
  on conflict (scope, state, function, quota, reason) do update set
    items = t.items + excluded.items, attempts = t.attempts + excluded.attempts, cached = t.cached + excluded.cached, discarded = t.discarded + excluded.discarded,
    tokens_in = t.tokens_in + excluded.tokens_in, tokens_out = t.tokens_out + excluded.tokens_out,
    cost_usd = t.cost_usd + excluded.cost_usd, at = greatest(t.at, excluded.at);
  delete from public.item_tallies t
  where t.items = 0 and t.attempts = 0 and t.cached = 0 and t.discarded = 0 and t.tokens_in = 0 and t.tokens_out = 0 and t.cost_usd = 0;

  with old as (
    delete from public.attempt_changes c where c.at < moment - interval '1 minute' returning c.*
  ),
  faded as (
    delete from public.attempt_tallies t
    where t.at < moment - interval '2 hours' and t.at <> public.grain(t.at, moment) returning t.*
  )
  insert into public.attempt_tallies as t
  select o.scope, o.function, o.quota, o.outcome, o.bucket, sum(o.attempts), sum(o.seconds), sum(o.model_calls),
    sum(o.tokens_in), sum(o.tokens_out), sum(o.cost_usd), sum(o.estimated_usd), public.grain(o.at, moment)
  from (select * from old union all select * from faded) o
  group by o.scope, o.function, o.quota, o.outcome, o.bucket, public.grain(o.at, moment)
  on conflict (scope, at, function, quota, outcome, bucket) do update set
    attempts = t.attempts + excluded.attempts, seconds = t.seconds + excluded.seconds,
    model_calls = t.model_calls + excluded.model_calls, tokens_in = t.tokens_in + excluded.tokens_in,
    tokens_out = t.tokens_out + excluded.tokens_out, cost_usd = t.cost_usd + excluded.cost_usd,
    estimated_usd = t.estimated_usd + excluded.estimated_usd;
end
$$;

-- To the minute, the day or never, the longer ago it is.
create function public.grain(at timestamptz, moment timestamptz) returns timestamptz
language sql stable set search_path = '' as $$
  select case
    when at < moment - interval '40 days' then '-infinity'
    when at < moment - interval '2 hours' then date_trunc('day', at, 'UTC')
    else date_trunc('minute', at, 'UTC') end
$$;

create function public.batch_progress_v1(batch_ids uuid[])
returns table (
  batch_id uuid, total bigint, waiting bigint, running bigint, done bigint, skipped bigint, dead bigint, cancelled bigint,
  cached bigint, tokens_in bigint, tokens_out bigint, cost_usd numeric, finished_at timestamptz, last_minute bigint
)
language sql stable set search_path = '' as $$
  select b.id,
    coalesce(sum(c.items), 0)::bigint,
    coalesce(sum(c.items) filter (where c.state = 'waiting'), 0)::bigint,
    coalesce(sum(c.items) filter (where c.state = 'running'), 0)::bigint,
    coalesce(sum(c.items) filter (where c.state = 'done'), 0)::bigint,
    coalesce(sum(c.items) filter (where c.state = 'skipped'), 0)::bigint,
    coalesce(sum(c.items) filter (where c.state = 'dead'), 0)::bigint,
    coalesce(sum(c.items) filter (where c.state = 'cancelled'), 0)::bigint,
    coalesce(sum(c.cached), 0)::bigint,
    coalesce(sum(c.tokens_in), 0)::bigint,
    coalesce(sum(c.tokens_out), 0)::bigint,
    coalesce(sum(c.cost_usd), 0),
    max(c.at) filter (where c.items > 0 and c.state in ('done', 'skipped', 'dead', 'cancelled')),
    coalesce(sum(c.items) filter (
      where c.items > 0 and c.at > (select public.moment()) - interval '1 minute' and c.state in ('done', 'skipped', 'dead', 'cancelled')
    ), 0)::bigint
  from unnest(batch_ids) as b (id)
  left join public.item_counts c on c.scope = b.id
  group by b.id
$$;

-- A row as the owner of item `i` sees it, whose result it is. What another owner's item made (`cache: all`) tells nothing of
-- that owner: `typed` columns say what this item's own input says, null where that has no such field, and the receipt
-- (id, attempts, tokens, cost, times) is this item's.
create function public.row_for_owner(result jsonb, i public.items, typed text[]) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  if result is null or i.result_id = i.id
    or exists (select from public.items made where made.id = i.result_id and made.owner = i.owner) then
    return result;
  end if;
  return result
    || (select coalesce(jsonb_object_agg(t.name, coalesce(i.input -> t.name, 'null')), '{}') from unnest(typed) as t (name))
    || (
      select jsonb_object_agg(r.name, r.value)
      from jsonb_each(jsonb_build_object('item_id', i.id, 'attempts', i.attempts, 'tokens_in', i.tokens_in,
        'tokens_out', i.tokens_out, 'cost_usd', i.cost_usd, 'latency_ms', 0, 'created_at', i.finished_at)) as r (name, value)
      where result ? r.name
    );
end
$$;

-- One page of a batch's items in their order, each with its result row. `after`: the last item of the page before.
-- `whole`: inputs uncut, as files have them; else as lists show them. `typed`: see row_for_owner.
create function public.batch_results_v1(
  batch_id uuid, result_table text, after uuid default null, most integer default 100, states text[] default null,
  whole boolean default false, typed text[] default '{}'
) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  page jsonb;
begin
  execute format(
    'select public.page_of(array(select jsonb_build_object(
       ''item_id'', i.id, ''custom_id'', i.custom_id,
       ''input'', case when $5 then i.input else public.short_input(i.input) end,
       ''input_cut'', not $5 and public.short_input(i.input) <> i.input, ''state'', i.state, ''reason'', i.reason,
       ''error'', i.error, ''attempts'', i.attempts, ''cached'', coalesce(i.result_id <> i.id, false),
       ''tokens_in'', i.tokens_in, ''tokens_out'', i.tokens_out, ''cost_usd'', i.cost_usd,
       ''not_before'', i.not_before, ''finished_at'', i.finished_at, ''result'', public.row_for_owner(to_jsonb(r), i, $6))
     from public.items i
     left join public.%I r on r.item_id = i.result_id
     where i.batch_id = $1 and ($2 is null or i.id > $2) and ($3 is null or i.state = any ($3))
     order by i.id limit $4 + 1), $4)', result_table)
  into page using batch_id, after, states, most, whole, typed;
  return page;
end
$$;

-- The result of one item, as batch_results_v1 has it.
create function public.item_result_v1(item_id uuid, result_table text, typed text[] default '{}') returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  found jsonb;
begin
  execute format(
    'select public.row_for_owner(to_jsonb(r), i, $2) from public.items i join public.%I r on r.item_id = i.result_id
     where i.id = $1', result_table)
  into found using item_id, typed;
  return found;
end
$$;

-- What a scope's attempts spent of each quota: those that ended within the last minute.
create function public.used(whose uuid)
returns table (quota text, requests bigint, tokens bigint, answered_at timestamptz)
language sql stable set search_path = '' as $$
  select c.quota, sum(c.model_calls)::bigint, sum(c.tokens_in)::bigint, max(c.at) filter (where c.model_calls > 0)
  from public.attempt_changes c
  where c.scope = whose and c.at > (select public.moment()) - interval '1 minute'
  group by c.quota
$$;

create function public.health_v1()
returns table (
  quota text, requests_per_minute double precision, tokens_per_minute double precision, rests_seconds double precision,
  rest_reason text, waiting bigint, running bigint, oldest_seconds double precision,
  -- By the attempts that ended in the last minute; seconds since one of them had the model's answer, within a day.
  requests_used bigint, tokens_used bigint, answered_seconds double precision
)
language sql stable set search_path = '' as $$
  select q.name, q.requests_per_minute, q.tokens_per_minute,
    case when q.rests_until > clock.moment then extract(epoch from q.rests_until - clock.moment)::double precision else 0 end,
    case when q.rests_until > clock.moment then q.rest_reason end,
    coalesce(c.waiting, 0)::bigint, coalesce(c.running, 0)::bigint,
    (select extract(epoch from clock.moment - min(i.queued_at))::double precision from public.items i
      where i.quota = q.name and i.state = 'waiting' and i.queued_at <= clock.moment),
    coalesce(u.requests, 0)::bigint, coalesce(u.tokens, 0)::bigint,
    extract(epoch from clock.moment - coalesce(u.answered_at, (
      select max(t.at) from public.attempt_tallies t
      where t.scope = public.everything() and t.at > clock.moment - interval '1 day' and t.quota = q.name and t.model_calls > 0
    )))::double precision
  from public.quotas q
  cross join (select public.moment() as moment) clock
  left join (
    select n.quota, sum(n.items) filter (where n.state = 'waiting') as waiting,
      sum(n.items) filter (where n.state = 'running') as running
    from public.item_counts n where n.scope = public.everything() group by n.quota
  ) c on c.quota = q.name
  left join lateral public.used(public.everything()) u on u.quota = q.name
  order by q.name
$$;

create function public.breakers_v1()
returns table (name text, state text, failures integer, rests_seconds double precision, reason text)
language sql stable set search_path = '' as $$
  select b.name, b.state, b.failures,
    greatest(0, case when b.rests_until = '-infinity' then 0 else extract(epoch from b.rests_until - clock.moment) end)::double precision,
    b.reason
  from public.breakers b
  cross join (select public.moment() as moment) clock
  where b.state <> 'closed' or b.window_ends > clock.moment
  order by b.state <> 'open', b.name
  limit 200
$$;

-- [{metric, labels, value}]. One value, as all that may be long: of rows the project's max-rows cuts off some, without a
-- word.
create function public.metrics_v1() returns jsonb
language plpgsql set search_path = '' as $$
begin
  perform public.fold_tallies_v1();
  -- One statement, so that all of it is of one moment.
  return (
  with counted as materialized (
    select c.function, c.state, c.reason, sum(c.items) as items,
      sum(c.tokens_in) as tokens_in, sum(c.tokens_out) as tokens_out, sum(c.cost_usd) as cost_usd
    from public.item_counts c where c.scope = public.everything() group by 1, 2, 3
  ),
  tried as materialized (
    select c.function, c.outcome, c.bucket, sum(c.attempts) as attempts, sum(c.seconds) as seconds,
      sum(c.model_calls) as model_calls, sum(c.estimated_usd) as estimated_usd
    from public.attempt_counts c where c.scope = public.everything() group by 1, 2, 3
  )
  select coalesce(jsonb_agg(jsonb_build_object('metric', m.metric, 'labels', m.labels, 'value', m.value)), '[]') from (
  select 'items', jsonb_build_object('function', c.function, 'state', c.state), sum(c.items)::double precision
  from counted c group by c.function, c.state having sum(c.items) > 0
  union all
  select 'reasons', jsonb_build_object('function', c.function, 'state', c.state, 'reason', c.reason), c.items::double precision
  from counted c where c.state in ('skipped', 'dead') and c.items > 0
  union all
  select v.metric, jsonb_build_object('function', c.function), sum(v.value)::double precision
  from counted c, lateral (values
    ('tokens_in', c.tokens_in), ('tokens_out', c.tokens_out), ('cost_usd', c.cost_usd)
  ) as v (metric, value)
  group by v.metric, c.function having sum(c.items) > 0
  union all
  -- Not the sum of items.attempts, which falls where one is given back: a counter never does.
  select 'attempts', jsonb_build_object('function', t.function), sum(t.attempts)::double precision
  from tried t where t.outcome not in ('deferred', 'overloaded', 'cached') group by t.function
  union all
  select 'model_calls', jsonb_build_object('function', t.function), sum(t.model_calls)::double precision
  from tried t group by t.function
  union all
  select 'estimated_usd', jsonb_build_object('function', t.function), sum(t.estimated_usd)::double precision
  from tried t group by t.function
  union all
  select 'outcomes', jsonb_build_object('function', t.function, 'outcome', t.outcome), sum(t.attempts)::double precision
  from tried t group by t.function, t.outcome
  union all
  select 'seconds_sum', jsonb_build_object('function', t.function), sum(t.seconds)
  from tried t where t.bucket > 0 group by t.function
  union all
  select 'seconds', jsonb_build_object('function', t.function, 'le', coalesce((public.duration_bounds())[t.bucket + 1]::text, '+Inf')),
    sum(t.attempts)::double precision
  from tried t where t.bucket > 0 group by t.function, t.bucket
  ) m (metric, labels, value));
end
$$;

-- Everything the page of an owner shows, or with everything() the operator's; read from tallies and by index.
create function public.dashboard_v1(whose uuid, newest integer default 20)
returns jsonb
language plpgsql set search_path = '' as $$
declare
  moment timestamptz := public.moment();
begin
  perform public.fold_tallies_v1();
  return jsonb_build_object(
    'at', moment,
    'items', (
      select coalesce(jsonb_agg(to_jsonb(c)), '[]') from (
        select n.function, n.quota, n.state, n.reason, sum(n.items)::bigint as items, sum(n.discarded)::bigint as discarded
        from public.item_counts n where n.scope = whose group by 1, 2, 3, 4 having sum(n.items) > 0
        order by sum(n.items) desc
      ) c
    ),
    'attempts', (
      select coalesce(jsonb_agg(to_jsonb(c)), '[]') from (
        select date_trunc('minute', n.at, 'UTC') as minute, n.outcome, n.bucket, sum(n.attempts)::bigint as attempts
        from public.attempt_counts n
        where n.scope = whose and n.at >= date_trunc('minute', moment, 'UTC') - interval '59 minutes'
        group by 1, 2, 3 order by 1, 2, 3
      ) c
    ),
    'costs', (
      select coalesce(jsonb_agg(to_jsonb(c)), '[]') from (
        select (n.at at time zone 'UTC')::date as day, sum(n.cost_usd) as cost_usd,
          sum(n.estimated_usd) as estimated_usd, sum(n.tokens_in)::bigint as tokens_in,
          sum(n.tokens_out)::bigint as tokens_out, sum(n.model_calls)::bigint as model_calls
        from public.attempt_counts n
        where n.scope = whose and n.at >= date_trunc('day', moment, 'UTC') - interval '13 days'
        group by 1 order by 1
      ) c
    ),
    'quotas', (
      select coalesce(jsonb_agg(to_jsonb(h) || jsonb_build_object('requests_used', coalesce(u.requests, 0),
        'tokens_used', coalesce(u.tokens, 0)) order by h.quota), '[]')
      from public.health_v1() h left join public.used(whose) u on u.quota = h.quota
    ),
    'breakers', (select coalesce(jsonb_agg(to_jsonb(b)), '[]') from public.breakers_v1() b),
    'dead', public.dashboard_dead(whose, newest),
    'bounds', public.duration_bounds()
  );
end
$$;

create function public.newest_batches(whose uuid, most integer) returns setof public.batches
language sql stable set search_path = '' as $$
  -- Only one of the two finds any: each by its index.
  (select b.* from public.batches b where b.owner = whose order by b.id desc limit most)
  union all
  (select b.* from public.batches b where whose = public.everything() order by b.id desc limit most)
$$;

-- The newest dead letters: an owner's among those of their 500 newest batches.
create function public.dashboard_dead(whose uuid, most integer) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  return (
    select coalesce(jsonb_agg(to_jsonb(d) order by d.item_id desc), '[]') from (
      select i.id as item_id, i.batch_id, i.function, i.custom_id, i.domain, i.reason, i.error, i.attempts, i.finished_at
      from (
        (select x.* from public.items x
         where whose = public.everything() and x.state = 'dead' and x.discarded_at is null order by x.id desc limit most)
        union all
        (select x.* from public.newest_batches(whose, 500) b
         cross join lateral (
           select y.* from public.items y
           where y.batch_id = b.id and y.state = 'dead' and y.discarded_at is null order by y.id desc limit most
         ) x
         where whose <> public.everything()
           and (select sum(c.items - c.discarded) from public.item_counts c where c.scope = b.id and c.state = 'dead') > 0
         limit 20 * most)
      ) i
      order by i.id desc limit most
    ) d
  );
end
$$;

-- What a dry run tells: how many rows a backlog still holds, counted no further than asked.
create function public.backlog_count_v1(backlog_view text, most integer) returns integer
language plpgsql stable set search_path = '' as $$
declare
  found_rows integer;
begin
  execute format('select count(*) from (select from public.%I limit $1) b', backlog_view) into found_rows using most;
  return found_rows;
end
$$;
