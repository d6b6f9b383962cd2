-- keep_v1: what became of these attempts. One transaction: result rows, items, attempts, budgets, breakers.

create type public.kept_result as (
  item_id uuid,
  holder uuid,
  outcome text,
  reason text,
  error text,
  rest_seconds double precision,
  memo jsonb,
  validators jsonb,
  unchanged uuid,
  model_calls integer,
  tokens_in integer,
  tokens_out integer,
  cost_usd numeric,
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
language plpgsql as $$
#variable_conflict use_column
declare
  moment timestamptz;
  kept public.kept_result[] := array(
    select jsonb_populate_record(null::public.kept_result, r - 'result') from unnest(results) r
  );
  news uuid[];
  winners uuid[];
  final constant text[] := array['done', 'skipped', 'dead'];
begin
  perform from public.items i where i.id in (select k.item_id from unnest(kept) k) order by i.id for update;
  moment := clock_timestamp();

  -- A repeated keep (its answer was lost) finds its attempt here already and is not counted again.
  with added as (
    insert into public.attempts as a (item_id, holder, attempt, outcome, reason, error, model_calls, tokens_in,
      tokens_out, cost_usd, seconds, ended_at)
    select k.item_id, k.holder, i.attempts, k.outcome, k.reason, k.error, coalesce(k.model_calls, 0),
      coalesce(k.tokens_in, 0), coalesce(k.tokens_out, 0), coalesce(k.cost_usd, 0), k.seconds, moment
    from unnest(kept) k join public.items i on i.id = k.item_id
    on conflict do nothing
    returning a.holder
  )
  select coalesce(array_agg(a.holder), '{}') into news from added a;

  -- A final outcome is taken from any holder, for the work is done; a try-again only from the one that holds the lease.
  winners := array(
    select distinct on (k.item_id) k.holder
    from unnest(kept) k join public.items i on i.id = k.item_id
    where k.holder = any (news) and i.state in ('waiting', 'running')
      and (k.outcome = any (final) or (i.state = 'running' and i.holder = k.holder))
    order by k.item_id, (k.outcome = 'done') desc
  );

  perform public.keep_rows(results, winners, result_table);

  update public.items i set
    state = case
      when k.outcome = any (final) then k.outcome
      when k.outcome = 'failed' and i.attempts >= max_attempts then 'dead'
      else 'waiting' end,
    reason = case when k.outcome = 'failed' and i.attempts >= max_attempts then 'attempts_exhausted' else k.reason end,
    error = coalesce(k.error, case when k.outcome = 'done' then null else i.error end),
    attempts = i.attempts - case when k.outcome in ('deferred', 'overloaded') then 1 else 0 end,
    memo = i.memo || coalesce(k.memo, '{}'),
    validators = coalesce(k.validators, i.validators),
    result_id = case when k.outcome = 'done' then coalesce(k.unchanged, i.id) end,
    holder = null,
    leased_until = null,
    not_before = moment + make_interval(secs => k.rest_seconds),
    queued_at = moment + make_interval(secs => coalesce(k.rest_seconds, 0)),
    finished_at = case when k.outcome = any (final) or (k.outcome = 'failed' and i.attempts >= max_attempts)
      then moment end
  from unnest(kept) k
  where i.id = k.item_id and k.holder = any (winners);

  update public.items i set
    tokens_in = i.tokens_in + s.tokens_in, tokens_out = i.tokens_out + s.tokens_out, cost_usd = i.cost_usd + s.cost_usd
  from (
    select k.item_id, sum(coalesce(k.tokens_in, 0)) as tokens_in, sum(coalesce(k.tokens_out, 0)) as tokens_out,
      sum(coalesce(k.cost_usd, 0)) as cost_usd
    from unnest(kept) k where k.holder = any (news) and k.model_calls > 0 group by k.item_id
  ) s
  where i.id = s.item_id;

  perform public.keep_pace(kept, news, quota_name, reserve_tokens, moment);
  perform public.keep_breakers(kept, news, moment);

  return query
  select k.item_id, k.holder, k.holder = any (winners), i.state, i.attempts
  from unnest(kept) k join public.items i on i.id = k.item_id;
end
$$;

-- All rows of one call come from one function version, so they have the same columns.
create function public.keep_rows(results jsonb[], winners uuid[], result_table text) returns void
language plpgsql as $$
declare
  rows jsonb;
  columns text;
begin
  select jsonb_agg((r -> 'result') || jsonb_build_object('item_id', r -> 'item_id')) into rows
  from unnest(results) r
  where r ->> 'outcome' = 'done' and jsonb_typeof(r -> 'result') = 'object'
    and (r ->> 'holder')::uuid = any (winners);
  if rows is null then
    return;
  end if;
  select string_agg(quote_ident(key), ', ') into columns from jsonb_object_keys(rows -> 0) key;
  execute format(
    'insert into public.%I (%s) select %s from jsonb_populate_recordset(null::public.%I, $1) on conflict (item_id) do nothing',
    result_table, columns, columns, result_table
  ) using rows;
end
$$;

-- Tokens used instead of reserved move the quota's next token; a quota that said 429 rests for all.
create function public.keep_pace(
  kept public.kept_result[], news uuid[], quota_name text, reserve_tokens integer, moment timestamptz
) returns void
language sql as $$
  update public.quotas q set
    token_slot = case when q.tokens_per_minute is null or q.token_slot = '-infinity' then q.token_slot
      else q.token_slot + make_interval(secs => s.tokens_over * 60.0 * 1.015 / q.tokens_per_minute) end,
    rests_until = greatest(q.rests_until, moment + make_interval(secs => s.rest_seconds)),
    rest_reason = case when s.rest_seconds is null or moment + make_interval(secs => s.rest_seconds) < q.rests_until
      then q.rest_reason else s.rest_reason end
  from (
    select sum(coalesce(k.tokens_in, 0) - reserve_tokens) as tokens_over,
      max(k.rest_seconds) filter (where k.outcome = 'overloaded') as rest_seconds,
      max(k.reason) filter (where k.outcome = 'overloaded') as rest_reason
    from unnest(kept) k where k.holder = any (news)
  ) s
  where q.name = quota_name and (s.rest_seconds is not null or (q.tokens_per_minute is not null and s.tokens_over <> 0))
$$;

-- Three states. Closed: failures are counted from the first one on, for as long as the rule says; enough of them at a
-- high enough rate open it. Half open: only its prober's word counts. A success is written down only where failures are.
create function public.keep_breakers(kept public.kept_result[], news uuid[], moment timestamptz) returns void
language plpgsql as $$
declare
  said record;
  held public.breakers;
  rule record;
begin
  for said in
    select u.name, count(*) filter (where u.healthy = 'true') as successes, count(*) filter (where u.healthy = 'false') as failures,
      array_agg(k.holder) filter (where u.healthy = 'true') as well, array_agg(k.holder) as heard,
      max(k.error) filter (where u.healthy = 'false') as reason
    from unnest(kept) k, jsonb_each_text(coalesce(k.upstreams, '{}')) as u (name, healthy)
    where k.holder = any (news)
      and (u.healthy = 'false' or exists (select from public.breakers b where b.name = u.name))
    group by u.name order by u.name
  loop
    select * into rule from public.breaker_rule(said.name);
    insert into public.breakers (name, window_ends) values (said.name, moment + rule.counted) on conflict do nothing;
    select * into held from public.breakers b where b.name = said.name for update;
    if held.state = 'half_open' and held.probe_holder = any (said.heard) then
      if held.probe_holder = any (said.well) then
        delete from public.breakers b where b.name = said.name;
      else
        update public.breakers b set state = 'open', rests_until = moment + rule.rest, probe_holder = null,
          probe_until = null, reason = said.reason
        where b.name = said.name;
      end if;
    elsif held.state = 'closed' then
      if held.window_ends <= moment then
        held.failures := 0;
        held.successes := 0;
        held.window_ends := moment + rule.counted;
      end if;
      held.failures := held.failures + said.failures;
      held.successes := held.successes + said.successes;
      if held.failures = 0 then
        delete from public.breakers b where b.name = said.name;
      elsif held.failures >= rule.min_failures
        and held.failures >= rule.failure_rate * (held.failures + held.successes) then
        update public.breakers b set state = 'open', rests_until = moment + rule.rest, failures = held.failures,
          successes = held.successes, reason = said.reason
        where b.name = said.name;
      else
        update public.breakers b set failures = held.failures, successes = held.successes,
          window_ends = held.window_ends, reason = coalesce(said.reason, b.reason)
        where b.name = said.name;
      end if;
    end if;
  end loop;

  -- A probe that ended without a word about its upstream (skipped, deferred) leaves the place to the next.
  update public.breakers b set state = 'open', rests_until = moment, probe_holder = null, probe_until = null
  where b.state = 'half_open' and b.probe_holder in (select k.holder from unnest(kept) k)
    and b.name in (
      select h.name from public.breakers h where h.state = 'half_open' order by h.name for update
    );
end
$$;
