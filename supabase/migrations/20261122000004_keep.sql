-- keep_v1: what became of these attempts. One transaction: result rows, items, attempts, budgets, breakers.

create type public.kept_result as (
  item_id uuid,
  holder uuid,
  outcome text,
  reason text,
  error text,
  rest_seconds double precision,
  -- False: a deferral of our own doing, which counts towards no limit.
  counted boolean,
  memo jsonb,
  validators jsonb,
  unchanged uuid,
  model_calls integer,
  tokens_in integer,
  tokens_out integer,
  cost_usd numeric,
  -- Some of it is what was reserved: the model was asked and did not answer.
  estimated boolean,
  -- Tokens that were booked for it; null: reserve_tokens
  reserved integer,
  seconds double precision,
  upstreams jsonb
);

-- results: the fields of kept_result, and `result`, the row for `result_table` when the outcome is done.
-- First result wins: whatever comes for a final item is not kept, yet what it cost is counted, once per holder.
create function public.keep_v1(
  results jsonb[],
  function_name text,
  quota_name text,
  result_table text,
  reserve_tokens integer default 0,
  max_attempts integer default 5
)
returns table (item_id uuid, holder uuid, accepted boolean, state text, attempts integer)
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  moment timestamptz;
  told public.kept_result[] := array(
    select distinct on (k.item_id, k.holder) k
    from unnest(array(select jsonb_populate_record(null::public.kept_result, r) from unnest(results) r)) k
    order by k.item_id, k.holder
  );
  ids uuid[] := array(select k.item_id from unnest(told) k);
  news public.kept_result[];
  winners uuid[];
begin
  perform from public.items i where i.id = any (ids) order by i.id for update;
  moment := public.moment();

  news := public.keep_attempts(told, moment);
  winners := public.keep_winners(news);
  perform public.keep_rows(results, winners, result_table);
  perform public.keep_items(news, winners, max_attempts, moment);
  perform public.keep_pace(news, quota_name, reserve_tokens, moment);
  perform public.keep_breakers(told, news, moment);
  perform public.close_batches(array(
    select i.batch_id from unnest(told) k join public.items i on i.id = k.item_id
    where i.state not in ('waiting', 'running')
  ));

  return query
  select k.item_id, k.holder, k.holder = any (winners), i.state, i.attempts
  from unnest(told) k join public.items i on i.id = k.item_id;
end
$$;

-- Writes the attempts down, and tells which are new: a repeated keep (its answer was lost) finds its attempt here already.
create function public.keep_attempts(told public.kept_result[], moment timestamptz) returns public.kept_result[]
language plpgsql set search_path = '' as $$
declare
  added uuid[];
begin
  with written as (
    insert into public.attempts as a (item_id, holder, attempt, outcome, reason, error, model_calls, tokens_in,
      tokens_out, cost_usd, estimated, seconds, ended_at)
    select k.item_id, k.holder, i.attempts, k.outcome, k.reason, k.error, coalesce(k.model_calls, 0),
      coalesce(k.tokens_in, 0), coalesce(k.tokens_out, 0), coalesce(k.cost_usd, 0), coalesce(k.estimated, false),
      k.seconds, moment
    from unnest(told) k join public.items i on i.id = k.item_id
    on conflict do nothing
    returning a.holder
  )
  select array_agg(w.holder) into added from written w;
  return array(select k from unnest(told) k where k.holder = any (added));
end
$$;

-- A deferral spends no attempt, so it has a limit of its own: an upstream that said "later" a hundred times says nothing else.
-- What is deferred because we are busy (`counted` is false) may wait for as long as its batch may.
create function public.state_after(
  outcome text, counted boolean, attempts integer, deferrals integer, max_attempts integer
) returns text
language plpgsql immutable set search_path = '' as $$
begin
  return case
    when outcome in ('done', 'skipped', 'dead') then outcome
    when outcome = 'failed' and attempts >= max_attempts then 'dead'
    when outcome = 'deferred' and counted and deferrals >= 100 then 'dead'
    else 'waiting' end;
end
$$;

-- A final outcome is taken from any holder, for the work is done; a try-again only from the one that holds the lease.
create function public.keep_winners(news public.kept_result[]) returns uuid[]
language plpgsql set search_path = '' as $$
begin
  return array(
    select distinct on (k.item_id) k.holder
    from unnest(news) k
    -- "offset 0": found by its id, whatever the planner thinks of how few items run.
    cross join lateral (select i.state, i.holder from public.items i where i.id = k.item_id offset 0) i
    where i.state in ('waiting', 'running')
      and (k.outcome in ('done', 'skipped', 'dead') or (i.state = 'running' and i.holder = k.holder))
    order by k.item_id, k.outcome = 'done' desc, k.outcome in ('done', 'skipped', 'dead') desc
  );
end
$$;

-- All rows of one call come from one function version, so they have the same columns.
create function public.keep_rows(results jsonb[], winners uuid[], result_table text) returns void
language plpgsql set search_path = '' as $$
declare
  columns text;
begin
  select string_agg(quote_ident(key), ', ') into columns
  from (select r -> 'result' as fields from unnest(results) r where jsonb_typeof(r -> 'result') = 'object' limit 1) f,
    jsonb_object_keys(f.fields) key
  where key <> 'item_id';
  if columns is null then
    return;
  end if;
  execute format(
    'insert into public.%I (item_id, %s) select item_id, %s
     from unnest($1) r,
       jsonb_populate_record(null::public.%I, (r -> ''result'') || jsonb_build_object(''item_id'', r -> ''item_id''))
     where r ->> ''outcome'' = ''done'' and jsonb_typeof(r -> ''result'') = ''object'' and (r ->> ''holder'')::uuid = any ($2)
     on conflict (item_id) do nothing',
    result_table, columns, columns, result_table
  ) using results, winners;
end
$$;

create function public.keep_items(
  news public.kept_result[], winners uuid[], max_attempts integer, moment timestamptz
) returns void
language plpgsql set search_path = '' as $$
begin
  update public.items i set
    state = public.state_after(k.outcome, k.counted, i.attempts, i.deferrals, max_attempts),
    reason = case
      when k.outcome = 'failed' and i.attempts >= max_attempts then 'attempts_exhausted'
      when k.outcome = 'deferred' and k.counted and i.deferrals >= 100 then 'deferred_too_often'
      else k.reason end,
    error = coalesce(k.error, case when k.outcome <> 'done' then i.error end),
    attempts = i.attempts - case when k.outcome in ('deferred', 'overloaded') then 1 else 0 end,
    deferrals = i.deferrals + case when k.outcome = 'deferred' and k.counted then 1 else 0 end,
    memo = i.memo || coalesce(k.memo, '{}'),
    validators = coalesce(k.validators, i.validators),
    result_id = case when k.outcome = 'done' then coalesce(k.unchanged, i.id) end,
    holder = null,
    leased_until = null,
    -- What has failed may come again at once where somebody sends it: only its new task waits.
    not_before = case when k.outcome <> 'failed' then moment + make_interval(secs => k.rest_seconds) end,
    queued_at = moment + make_interval(secs => coalesce(k.rest_seconds, 0)),
    finished_at = case
      when public.state_after(k.outcome, k.counted, i.attempts, i.deferrals, max_attempts) <> 'waiting' then moment end,
    tokens_in = i.tokens_in + coalesce(k.tokens_in, 0),
    tokens_out = i.tokens_out + coalesce(k.tokens_out, 0),
    cost_usd = i.cost_usd + coalesce(k.cost_usd, 0)
  from unnest(news) k
  where i.id = k.item_id and k.holder = any (winners);

  -- What was paid for nothing, for another's result came first, was paid all the same.
  update public.items i set
    tokens_in = i.tokens_in + k.tokens_in, tokens_out = i.tokens_out + k.tokens_out, cost_usd = i.cost_usd + k.cost_usd
  from (
    select n.item_id, coalesce(sum(n.tokens_in), 0) as tokens_in, coalesce(sum(n.tokens_out), 0) as tokens_out,
      coalesce(sum(n.cost_usd), 0) as cost_usd
    from unnest(news) n where n.holder <> all (winners) and n.model_calls > 0 group by n.item_id
  ) k
  where i.id = k.item_id;
end
$$;

-- Tokens used instead of reserved move the quota's next token; a quota that said 429 rests for all.
create function public.keep_pace(
  news public.kept_result[], quota_name text, reserve_tokens integer, moment timestamptz
) returns void
language plpgsql set search_path = '' as $$
begin
  update public.quotas q set
    token_slot = case when q.tokens_per_minute is null or q.token_slot = '-infinity' then q.token_slot
      else q.token_slot + make_interval(secs => s.tokens_over * 60.0 * 1.03 / q.tokens_per_minute) end,
    rests_until = greatest(q.rests_until, moment + make_interval(secs => s.rest_seconds)),
    rest_reason = case when s.rest_seconds is null or moment + make_interval(secs => s.rest_seconds) < q.rests_until
      then q.rest_reason else s.rest_reason end
  from (
    select sum(coalesce(k.tokens_in, 0) - coalesce(k.reserved, reserve_tokens)) as tokens_over,
      max(k.rest_seconds) filter (where k.outcome = 'overloaded') as rest_seconds,
      max(k.reason) filter (where k.outcome = 'overloaded') as rest_reason
    from unnest(news) k
  ) s
  where q.name = quota_name and (s.rest_seconds is not null or (q.tokens_per_minute is not null and s.tokens_over <> 0));
end
$$;

-- What these attempts say of their upstreams. A success is written down only where failures are; `told` has also what
-- was told before, for a probe that ended.
create function public.keep_breakers(
  told public.kept_result[], news public.kept_result[], moment timestamptz
) returns void
language plpgsql set search_path = '' as $$
declare
  said record;
  concerned text[];
begin
  insert into public.breakers (name, window_ends)
  select distinct u.name, moment
  from unnest(news) k, jsonb_each_text(coalesce(k.upstreams, '{}')) as u (name, healthy)
  where u.healthy = 'false' order by u.name
  on conflict do nothing;
  concerned := array(
    select u.name from unnest(news) k, jsonb_each_text(coalesce(k.upstreams, '{}')) as u (name, healthy)
    union
    select b.name from unnest(told) k join public.breakers b on b.probe_holder = k.holder
  );
  perform from public.breakers b where b.name = any (concerned) order by b.name for update;
  if not found then
    return;
  end if;

  for said in
    select u.name, array_agg(k.holder) as heard, array_agg(k.holder) filter (where u.healthy = 'true') as well,
      count(*) filter (where u.healthy = 'true') as successes, count(*) filter (where u.healthy = 'false') as failures,
      -- The word for it, not the error's text: that may say what an owner typed, and a breaker is shown to all.
      max(k.reason) filter (where u.healthy = 'false') as reason
    from unnest(news) k, jsonb_each_text(coalesce(k.upstreams, '{}')) as u (name, healthy)
    group by u.name
  loop
    perform public.keep_probe(said.name, said.heard, said.well, said.reason, moment);
    perform public.keep_window(said.name, said.failures, said.successes, said.reason, moment);
  end loop;

  -- A probe that ended without a word about its upstream (skipped, deferred) leaves the place to the next.
  update public.breakers b set state = 'open', rests_until = moment, probe_holder = null, probe_until = null
  where b.name = any (concerned) and b.state = 'half_open' and b.probe_holder = any (array(select k.holder from unnest(told) k));
end
$$;

-- Half open: only the prober's word counts. A breaker is gone once its upstream is well.
create function public.keep_probe(upstream text, heard uuid[], well uuid[], why text, moment timestamptz) returns void
language plpgsql set search_path = '' as $$
begin
  delete from public.breakers b where b.name = upstream and b.state = 'half_open' and b.probe_holder = any (well);
  update public.breakers b set
    state = 'open', rests_until = moment + (public.breaker_rule(upstream)).rest, probe_holder = null, probe_until = null,
    reason = why
  where b.name = upstream and b.state = 'half_open' and b.probe_holder = any (heard);
end
$$;

-- Closed: failures are counted from the first one on, for as long as the rule says; enough of them at a high enough rate
-- open it.
create function public.keep_window(
  upstream text, new_failures bigint, new_successes bigint, why text, moment timestamptz
) returns void
language plpgsql set search_path = '' as $$
declare
  held public.breakers;
  rule record;
begin
  select * into held from public.breakers b where b.name = upstream and b.state = 'closed';
  if not found then
    return;
  end if;
  select * into rule from public.breaker_rule(upstream);
  if held.window_ends <= moment then
    held.failures := 0;
    held.successes := 0;
    held.window_ends := moment + rule.counted;
  end if;
  held.failures := held.failures + new_failures;
  held.successes := held.successes + new_successes;
  if held.failures >= rule.min_failures and held.failures >= rule.failure_rate * (held.failures + held.successes) then
    held.state := 'open';
    held.rests_until := moment + rule.rest;
  end if;
  delete from public.breakers b where b.name = upstream and held.failures = 0;
  update public.breakers b set
    (state, failures, successes, window_ends, rests_until, reason)
      = (held.state, held.failures, held.successes, held.window_ends, held.rests_until, coalesce(why, b.reason))
  where b.name = upstream;
end
$$;
