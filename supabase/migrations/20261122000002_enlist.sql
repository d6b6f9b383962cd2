-- Items come in (enlist_v1), get their tasks (mark_queued_v1), and are found again when a task was lost (sweep_v1).

create function public.sync_quotas_v1(quotas jsonb[]) returns void
language sql set search_path = '' as $$
  insert into public.quotas as q (
    name, requests_per_minute, tokens_per_minute, dispatches_per_minute, max_concurrent
  )
  select w.name, w.requests_per_minute, w.tokens_per_minute, w.dispatches_per_minute, coalesce(w.max_concurrent, 40)
  from unnest(sync_quotas_v1.quotas) as u (quota),
    jsonb_to_record(u.quota) as w (
      name text, requests_per_minute double precision, tokens_per_minute double precision,
      dispatches_per_minute double precision, max_concurrent integer
    )
  order by w.name
  on conflict (name) do update set
    requests_per_minute = excluded.requests_per_minute,
    tokens_per_minute = excluded.tokens_per_minute,
    dispatches_per_minute = excluded.dispatches_per_minute,
    max_concurrent = excluded.max_concurrent
  where (q.requests_per_minute, q.tokens_per_minute, q.dispatches_per_minute, q.max_concurrent) is distinct from
    (excluded.requests_per_minute, excluded.tokens_per_minute, excluded.dispatches_per_minute, excluded.max_concurrent)
$$;
comment on function public.sync_quotas_v1 is 'Writes the limits of functions/quotas.yaml; the pace of a quota is left as it is.';

-- inputs: {input, input_key, domain, custom_id, source_key, fresh}. What the batch, or for a source_key the function,
-- has already is left as it is, so that a repeated call adds nothing. Ids are given in the order of the inputs, rows written
-- in the order of the keys: two calls that bring the same inputs in another order would wait for each other. A batch that
-- was stopped or has ended takes nothing; one that takes them cannot end before they are in. An input with a `refusal` is
-- dead as it comes in, for that reason.
create function public.enlist_v1(inputs jsonb[], batch_id uuid, function_name text, quota_name text)
returns table (enlisted integer, duplicates integer)
language plpgsql set search_path = '' as $$
declare
  batch_state text;
  batch_owner uuid;
begin
  select b.state, public.owner_of(b) into batch_state, batch_owner
  from public.batches b where b.id = enlist_v1.batch_id for no key update;
  if batch_state not in ('accepting', 'open') then
    enlisted := 0;
    duplicates := 0;
    return next;
    return;
  end if;
  with given as materialized (
    select public.new_id() as id, i.*
    from (select u.body from unnest(inputs) with ordinality as u (body, place) order by u.place) as u,
      jsonb_to_record(u.body) as i (
        input jsonb, input_key text, domain text, custom_id text, source_key text, fresh boolean,
        refusal text
      )
  ),
  added as (
    insert into public.items (id, batch_id, owner, function, quota, input, input_key, domain, custom_id, source_key, fresh,
      state, reason, error, finished_at)
    select g.id, enlist_v1.batch_id, coalesce(batch_owner, public.operator_id()), function_name, quota_name, g.input,
      g.input_key, g.domain, g.custom_id, g.source_key, coalesce(g.fresh, false),
      case when g.refusal is null then 'waiting' else 'dead' end, case when g.refusal is not null then 'bad_input' end,
      g.refusal, case when g.refusal is not null then public.moment() end
    from given g
    order by g.source_key, g.input_key, g.id
    on conflict do nothing
    returning 1
  )
  select count(*) into enlisted from added;
  duplicates := cardinality(inputs) - enlisted;
  update public.batches b set fanned_at = public.moment() where b.id = enlist_v1.batch_id;
  return next;
end
$$;

-- Whose the items of a batch are: the key's that sent it. What operators send, and every backlog, is the operator's.
create function public.owner_of(batch public.batches) returns uuid
language plpgsql stable set search_path = '' as $$
begin
  return case
    when batch.owner is null or batch.source = 'backlog' then public.operator_id()
    when (select k.operator from public.api_keys k where k.id = batch.owner) then public.operator_id()
    else batch.owner end;
end
$$;

create function public.mark_queued_v1(item_ids uuid[]) returns integer
language plpgsql
set search_path = ''
set enable_seqscan = off
as $$
declare
  moment timestamptz := public.moment();
  -- Only what still waits: a task may have been dispatched before its item is marked. ("offset 0": found by their ids,
  -- not by reading all that is not queued.)
  unmarked uuid[] := array(
    select l.id from (
      select i.id, i.state, i.queued_at from public.items i where i.id = any (item_ids) order by i.id for update offset 0
    ) l
    where l.state = 'waiting' and l.queued_at is null
  );
  fanned uuid[];
begin
  with queued as (
    update public.items i set queued_at = moment where i.id = any (unmarked) returning i.batch_id
  )
  select array_agg(distinct q.batch_id) into fanned from queued q;
  perform from public.batches b where b.id = any (fanned) order by b.id for no key update;
  update public.batches b set fanned_at = moment where b.id = any (fanned);
  return cardinality(unmarked);
end
$$;

-- Finds items whose task was lost on the way and readies them for a new one. A task too many costs one dispatch;
-- a task too few would cost the item.
--   unqueued  enlisted, but the fan-out died before their task or before the mark; also in a batch that was taken for ended
--   queued    for far longer than the queue needs to drain, or in a queue that is known to be empty
--   leased    the holder died and the queue did not come back either
-- What it returns counts as queued from then on, so a sweep beside it, or right after it, finds the next ones:
-- [{item_id, function, quota}], one value, for the project's max-rows cuts off rows without a word.
create function public.sweep_v1(most integer, empty_quotas text[] default '{}', quiet_seconds integer default 120)
returns jsonb
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  swept jsonb;
  moment timestamptz := public.moment();
  quiet interval := make_interval(secs => quiet_seconds);
begin
  perform public.forget_breakers(moment);
  perform public.fold_tallies_v1();
  with drain as materialized (
    select q.name, moment - case when q.name = any (empty_quotas) then quiet else greatest(quiet, interval '10 minutes',
      interval '2 minutes' * ((select count(*) from public.items w where w.quota = q.name and w.state = 'waiting'
        and w.queued_at is not null) / q.requests_per_minute)) end as lost_before
    from public.quotas q
  ),
  behind as materialized (
    select b.id from public.batches b
    where b.id = any (array(select public.unqueued_batches())) and coalesce(b.fanned_at, b.created_at) < moment - quiet
      -- Those of a low batch get their tasks from low_items_v1, as long as it has not ended.
      -- An upload that is not complete gets none: it may still be refused, or given up.
      and ((b.state = 'open' or b.state = 'accepting' and b.source = 'backlog') and b.priority = 'normal' or b.state in ('completed', 'completed_with_errors'))
  ),
  -- Batch by batch and quota by quota, each with its own look into the index: a fan-out at work on a million items is
  -- passed over as one batch.
  lost as (
    (select found.id from behind b cross join lateral (
       select i.id from public.items i
       where i.batch_id = b.id and i.state = 'waiting' and i.queued_at is null and i.created_at < moment - quiet
       limit most) found
     limit most)
    union all
    (select found.id from drain d cross join lateral (
       select i.id from public.items i
       where i.quota = d.name and i.state = 'waiting' and i.queued_at < d.lost_before
       limit most) found
     limit most)
    union all
    (select i.id from public.items i
     where i.state = 'running' and i.leased_until < moment - quiet
     limit most)
  ),
  locked as (
    -- Asked once more of the locked row: since the look it may have been claimed or queued.
    select i.id from public.items i
    where i.id = any (array(select l.id from lost l)) and i.state in ('waiting', 'running')
      and coalesce(i.leased_until, i.queued_at, '-infinity') < moment - quiet
    order by i.id limit most for update skip locked
  ),
  readied as (
    update public.items i set state = 'waiting', queued_at = moment, leased_until = null, holder = null
    from locked l where i.id = l.id
    returning i.id as item_id, i.function, i.quota
  )
  select coalesce(jsonb_agg(to_jsonb(r)), '[]') into swept from readied r;
  return swept;
end
$$;

-- The batches that have items without a task: one look into items_unqueued for each, none at the items between. Held to
-- that index, whatever the planner thinks of how few wait: nothing may be sorted, and every look is planned anew.
create function public.unqueued_batches() returns setof uuid
language plpgsql stable
set search_path = ''
set enable_seqscan = off
set enable_sort = off
set enable_incremental_sort = off
set plan_cache_mode = force_custom_plan
as $$
declare
  batch uuid := '00000000-0000-0000-0000-000000000000';
begin
  loop
    select i.batch_id into batch from public.items i
    where i.batch_id > batch and i.state = 'waiting' and i.queued_at is null
    order by i.batch_id, i.id limit 1;
    exit when not found;
    return next batch;
  end loop;
end
$$;

-- A healthy upstream has no row. One that nobody asked again for an hour is taken for healthy too, or it would be shown
-- as resting for ever.
create function public.forget_breakers(moment timestamptz) returns void
language sql set search_path = '' as $$
  delete from public.breakers b where b.name in (
    select f.name from public.breakers f
    where greatest(f.window_ends, f.rests_until, f.probe_until) < moment - interval '1 hour'
    for update skip locked
  )
$$;
