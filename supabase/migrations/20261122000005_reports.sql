-- What people ask: how far is a batch, what came out, how is the engine.

create function public.batch_progress_v1(batch_ids uuid[])
returns table (
  batch_id uuid, total bigint, waiting bigint, running bigint, done bigint, skipped bigint, dead bigint, cancelled bigint,
  cached bigint, tokens_in bigint, tokens_out bigint, cost_usd numeric, finished_at timestamptz, last_minute bigint
)
language sql stable as $$
  select b.id,
    count(i.id),
    count(*) filter (where i.state = 'waiting'),
    count(*) filter (where i.state = 'running'),
    count(*) filter (where i.state = 'done'),
    count(*) filter (where i.state = 'skipped'),
    count(*) filter (where i.state = 'dead'),
    count(*) filter (where i.state = 'cancelled'),
    count(*) filter (where i.state = 'done' and i.result_id <> i.id),
    coalesce(sum(i.tokens_in), 0)::bigint,
    coalesce(sum(i.tokens_out), 0)::bigint,
    coalesce(sum(i.cost_usd), 0),
    max(i.finished_at),
    count(*) filter (where i.finished_at > now() - interval '1 minute')
  from unnest(batch_ids) as b (id)
  left join public.items i on i.batch_id = b.id
  group by b.id
$$;

-- One page of a batch's items in their order, each with its result row. `after`: the last item of the page before.
create function public.batch_results_v1(
  batch_id uuid, result_table text, after uuid default null, most integer default 100, states text[] default null
) returns setof jsonb
language plpgsql stable as $$
begin
  return query execute format(
    'select jsonb_build_object(
       ''item_id'', i.id, ''custom_id'', i.custom_id, ''input'', i.input, ''state'', i.state, ''reason'', i.reason,
       ''error'', i.error, ''attempts'', i.attempts, ''cached'', coalesce(i.result_id <> i.id, false),
       ''tokens_in'', i.tokens_in, ''tokens_out'', i.tokens_out, ''cost_usd'', i.cost_usd,
       ''not_before'', i.not_before, ''finished_at'', i.finished_at, ''result'', to_jsonb(r))
     from public.items i
     left join public.%I r on r.item_id = i.result_id
     where i.batch_id = $1 and ($2 is null or i.id > $2) and ($3 is null or i.state = any ($3))
     order by i.id limit $4', result_table)
  using batch_id, after, states, most;
end
$$;

create function public.health_v1()
returns table (
  quota text, requests_per_minute double precision, tokens_per_minute double precision, rests_seconds double precision,
  rest_reason text, waiting bigint, running bigint, oldest_seconds double precision
)
language sql stable as $$
  select q.name, q.requests_per_minute, q.tokens_per_minute,
    case when q.rests_until > now() then extract(epoch from q.rests_until - now())::double precision else 0 end,
    case when q.rests_until > now() then q.rest_reason end,
    (select count(*) from public.items i where i.quota = q.name and i.state = 'waiting'),
    (select count(*) from public.items i where i.quota = q.name and i.state = 'running'),
    (select extract(epoch from now() - min(i.queued_at))::double precision from public.items i
      where i.quota = q.name and i.state = 'waiting' and i.queued_at <= now())
  from public.quotas q order by q.name
$$;

create function public.breakers_v1()
returns table (name text, state text, failures integer, rests_seconds double precision, reason text)
language sql stable as $$
  select b.name, b.state, b.failures,
    greatest(0, case when b.rests_until = '-infinity' then 0 else extract(epoch from b.rests_until - now()) end)::double precision,
    b.reason
  from public.breakers b
  where b.state <> 'closed' or b.window_ends > now()
  order by b.state <> 'open', b.name
  limit 200
$$;

create function public.metrics_v1()
returns table (metric text, labels jsonb, value double precision)
language sql stable as $$
  -- One look at the table for all of them.
  with counted as materialized (
    select i.function, i.state, case when i.state in ('skipped', 'dead') then coalesce(i.reason, '') end as reason,
      count(*)::double precision as items, sum(i.attempts)::double precision as attempts,
      sum(i.tokens_in)::double precision as tokens_in, sum(i.tokens_out)::double precision as tokens_out,
      sum(i.cost_usd)::double precision as cost_usd
    from public.items i group by 1, 2, 3
  )
  select 'items', jsonb_build_object('function', c.function, 'state', c.state), sum(c.items)
  from counted c group by c.function, c.state
  union all
  select 'reasons', jsonb_build_object('function', c.function, 'state', c.state, 'reason', c.reason), c.items
  from counted c where c.reason is not null
  union all
  select v.metric, jsonb_build_object('function', c.function), sum(v.value)
  from counted c, lateral (values
    ('attempts', c.attempts), ('tokens_in', c.tokens_in), ('tokens_out', c.tokens_out), ('cost_usd', c.cost_usd)
  ) as v (metric, value)
  group by v.metric, c.function
$$;

-- What a dry run tells: how many rows a backlog still holds, counted no further than asked.
create function public.backlog_count_v1(backlog_view text, most integer) returns integer
language plpgsql stable as $$
declare
  found_rows integer;
begin
  execute format('select count(*) from (select from public.%I limit $1) b', backlog_view) into found_rows using most;
  return found_rows;
end
$$;
