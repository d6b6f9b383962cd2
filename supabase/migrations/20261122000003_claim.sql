-- claim_v1: may these items run now? One call per group of dispatches, one decision per item.

-- When a breaker opens and for how long, by the kind of upstream.
create function public.breaker_rule(
  name text, out min_failures integer, out failure_rate double precision, out counted interval, out rest interval
)
language sql immutable set search_path = '' as $$
  select 5, 0.5::double precision,
    case when name like 'domain:%' then interval '5 minutes' else interval '1 minute' end,
    case when name like 'domain:%' then interval '5 minutes' else interval '20 seconds' end
$$;

-- What results are found again by. `cache` is the manifest's word for who may use them: `owner`, the owner alone;
-- `all`, everybody.
create function public.fingerprint(function_name text, input_key text, variant text, owner uuid, cache text) returns bytea
language plpgsql stable set search_path = '' as $$
begin
  return sha256(convert_to(function_name || chr(31) || input_key || chr(31) || variant || chr(31)
    || case when cache = 'all' then 'all' else owner::text end, 'UTF8'));
end
$$;

create function public.seconds_between(moment timestamptz, later timestamptz) returns double precision
language plpgsql immutable set search_path = '' as $$
begin
  return case when later = '-infinity' then -1e9 else extract(epoch from later - moment)::double precision end;
end
$$;

-- While a probe is out nobody knows how long: look again after a few seconds, scattered so that not all come at once.
create function public.rest_of(until timestamptz, moment timestamptz) returns double precision
language sql volatile set search_path = '' as $$
  select greatest(public.seconds_between(moment, until), 5.0) + random() * 5.0
$$;

create type public.claim_plan as (
  item_id uuid,
  holder uuid,
  place integer,
  decision text,
  reason text,
  wait double precision,
  fingerprint bytea,
  result_id uuid,
  domain text,
  probes text[]
);

-- claims: {item_id, holder, content?}; the holder is one delivery's own id. A holder that claims again renews its slot: no new
-- attempt, a new lease. Decisions:
--   run        lease taken, attempt counted; the metered call may go out in `wait` seconds (when the claim `books`)
--   rest       come back in `wait` seconds; no attempt spent
--   cached     closed with the result of an earlier item (same function, input, variant and owner, young enough;
--              of any owner where the manifest says `cache: all`)
--   known      (to who named its `content`) an earlier item's result was made from the same: validators ->> 'result_id'
--   done       final already;  cancelled, dead: closed just now;  unknown: no such item
-- A claim that does not book only looks whether there would be a slot: its work prepares something first, and claims again
-- when it is ready. Slots that were booked ahead would go by unused meanwhile.
-- Locks are taken in one order (items by id, quota, breakers by name), in keep_v1 too. Plans are kept from being made for
-- an empty table, for they live on in the session while it grows: rows are found by index, one by one.
create function public.claim_v1(
  claims jsonb[],
  function_name text,
  quota_name text,
  variant text,
  reserve_tokens integer default 0,
  lease_seconds double precision default 90,
  patience_seconds double precision default 3,
  max_attempts integer default 5,
  cache_seconds double precision default 2592000,
  books boolean default true,
  cache text default 'owner',
  -- No slot is nearer than this: the answer that tells it has to arrive first.
  lead_seconds double precision default 0
)
returns table (
  item_id uuid, holder uuid, decision text, reason text, wait double precision, attempt integer, input jsonb,
  memo jsonb, validators jsonb, batch_id uuid, domain text, input_key text,
  -- Since when `wait` counts, and how long the quota rests from then on: an answer may be late, and its slot gone by.
  moment double precision, quota_rests double precision,
  -- It is a row of the operator's backlog, which will not offer it again.
  from_backlog boolean
)
language plpgsql
set search_path = ''
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
  moment timestamptz;
  ids uuid[] := array(select (c ->> 'item_id')::uuid from unnest(claims) c);
  plan public.claim_plan[];
begin
  perform from public.items i where i.id = any (ids || public.alike(ids, cache)) order by i.id for update;
  if exists (select from unnest(claims) c where c ? 'content') then
    perform public.claim_content(claims, function_name, quota_name, cache);
  end if;
  moment := public.moment();

  plan := public.claim_decide(claims, function_name, variant, max_attempts, cache, cache_seconds, patience_seconds, moment);
  plan := public.claim_pace(plan, quota_name, reserve_tokens, lease_seconds, patience_seconds, books, lead_seconds, moment);

  update public.items i set
    state = case p.decision
      when 'run' then 'running' when 'rest' then 'waiting' when 'cached' then 'done' else p.decision end,
    attempts = i.attempts + case
      when p.decision = 'run' and i.holder is distinct from p.holder then 1
      when p.decision = 'rest' and i.holder = p.holder then -1
      else 0 end,
    holder = case when p.decision = 'run' then p.holder end,
    leased_until = case when p.decision = 'run' then moment + make_interval(secs => lease_seconds + p.wait) end,
    not_before = case when p.decision = 'rest' then moment + make_interval(secs => p.wait) end,
    queued_at = case when p.decision = 'rest' then moment + make_interval(secs => p.wait)
      else coalesce(i.queued_at, moment) end,
    finished_at = case when p.decision in ('cached', 'dead', 'cancelled') then moment end,
    -- An item that was given an earlier result is no result itself, or a result would never grow old.
    fingerprint = case when p.decision <> 'cached' then p.fingerprint end,
    result_id = p.result_id,
    reason = p.reason,
    error = case when p.decision <> 'cached' then i.error end
  from (
    -- An item that came twice in the group: what closes it or lets it run stands, the other delivery rests.
    select distinct on (d.item_id) d.* from unnest(plan) d order by d.item_id, d.decision = 'rest'
  ) p
  where i.id = p.item_id and p.decision in ('run', 'rest', 'cached', 'dead', 'cancelled')
    -- Somebody else's lease is not touched by a delivery that comes twice; a renewal that must rest gives its own back.
    and (p.decision <> 'rest' or i.state = 'waiting' or i.holder = p.holder);

  if exists (select from unnest(plan) p where p.decision in ('cached', 'dead', 'cancelled')) then
    perform public.close_batches(array(
      select i.batch_id from unnest(plan) p join public.items i on i.id = p.item_id
      where p.decision in ('cached', 'dead', 'cancelled')
    ));
  end if;

  -- What is made from a known result is none for others, or it would never grow old.
  update public.items i set content_key = null
  from unnest(plan) p where i.id = p.item_id and p.decision = 'known';

  return query
  select p.item_id, p.holder, p.decision, p.reason, p.wait, i.attempts, i.input, i.memo,
    case when p.decision = 'known' then jsonb_build_object('result_id', p.result_id) else kept.validators end,
    i.batch_id, i.domain, i.input_key, extract(epoch from moment)::double precision,
    greatest(0, public.seconds_between(moment, greatest(q.rests_until, b.rests_until))), i.source_key is not null
  from unnest(plan) p
  left join public.items i on i.id = p.item_id
  left join public.quotas q on q.name = quota_name
  left join public.breakers b on b.name = 'quota:' || quota_name and b.state = 'open'
  left join lateral (
    select k.validators || jsonb_build_object('result_id', k.result_id) as validators
    from public.items k
    where p.decision = 'run' and not i.fresh and k.fingerprint = p.fingerprint and k.state = 'done' and k.validators is not null
    order by k.finished_at desc limit 1
  ) kept on true
  order by p.place;
end
$$;

-- Items alike (same function and input, and one owner or `cache: all`) are locked together, so that one of them is paid for and
-- the others wait.
create function public.alike(ids uuid[], cache text) returns uuid[]
language plpgsql stable set search_path = '' as $$
begin
  return array(
    select a.id from unnest(ids) as given (id)
    -- "offset 0" holds the order: from the few that are given to the few that are alike.
    cross join lateral (select i.function, i.input_key, i.owner from public.items i where i.id = given.id offset 0) i
    cross join lateral (
      select t.id from public.items t
      where t.function = i.function and t.input_key = i.input_key and (cache = 'all' or t.owner = i.owner)
        and t.state in ('waiting', 'running') offset 0
    ) a
  );
end
$$;

-- Notes what these items hold. Whoever holds the quota's lock sees what every other claim of it noted before, so of two
-- items with the same content one is paid for, whatever instances they are on.
create function public.claim_content(claims jsonb[], function_name text, quota_name text, cache text) returns void
language plpgsql set search_path = '' as $$
begin
  perform from public.quotas q where q.name = quota_name for no key update;
  update public.items i set content_key = public.fingerprint(function_name, c ->> 'content', 'content', i.owner, cache)
  from unnest(claims) c
  where c ? 'content' and i.id = (c ->> 'item_id')::uuid and i.holder = (c ->> 'holder')::uuid;
end
$$;

-- What is known of each item by itself, before any upstream is looked at.
create function public.claim_decide(
  claims jsonb[], function_name text, variant text, max_attempts integer, cache text, cache_seconds double precision,
  patience_seconds double precision, moment timestamptz
) returns public.claim_plan[]
language plpgsql set search_path = '' as $$
begin
  return array(
    with known as (
      select u.place::integer as place, (u.body ->> 'item_id')::uuid as item_id, (u.body ->> 'holder')::uuid as holder,
        i.id, i.state, i.holder as held_by, i.leased_until, i.not_before, i.attempts, i.fresh, i.domain, i.input_key,
        i.owner, i.created_at, case when i.holder = (u.body ->> 'holder')::uuid then i.content_key end as content_key,
        b.state as batch_state, b.deadline, public.fingerprint(function_name, i.input_key, variant, i.owner, cache) as fingerprint
      from unnest(claims) with ordinality as u (body, place)
      left join public.items i on i.id = (u.body ->> 'item_id')::uuid
      left join public.batches b on b.id = i.batch_id
    ),
    decided as (
      select k.*, coalesce(cached.result_id, same.result_id) as result_id, d.decision, d.reason, d.wait,
        -- Of items alike in one group one may run: the one that runs already and renews its claim, else the first.
        d.decision = 'run' and row_number() over (
          partition by d.decision = 'run', k.fingerprint order by k.held_by is distinct from k.holder, k.place
        ) > 1 or (d.decision = 'run' and k.content_key is not null and row_number() over (
          partition by d.decision = 'run', k.content_key order by k.place
        ) > 1) as crowded
      from known k
      left join lateral (
        select c.result_id from public.items c
        where not k.fresh and c.fingerprint = k.fingerprint and c.state = 'done' and c.result_id is not null
          and c.finished_at > moment - make_interval(secs => cache_seconds)
        order by c.finished_at desc limit 1
      ) cached on true
      left join lateral (
        select a.leased_until from (
          select t.id, t.state, t.leased_until from public.items t
          where t.function = function_name and t.input_key = k.input_key and (cache = 'all' or t.owner = k.owner)
            and t.state in ('waiting', 'running') offset 0
        ) a
        where a.state = 'running' and a.leased_until > moment and a.id <> k.item_id
        limit 1
      ) twin on true
      left join lateral (
        select c.result_id from (
          select t.id, t.state, t.result_id, t.finished_at from public.items t
          where t.content_key = k.content_key and k.content_key is not null offset 0
        ) c
        where c.state = 'done' and c.id <> k.item_id and c.result_id is not null
          and c.finished_at > case when k.fresh then k.created_at else moment - make_interval(secs => cache_seconds) end
        order by c.finished_at desc limit 1
      ) same on true
      left join lateral (
        select c.leased_until from (
          select t.id, t.state, t.leased_until from public.items t
          where t.content_key = k.content_key and k.content_key is not null offset 0
        ) c
        where c.state = 'running' and c.leased_until > moment
          -- Those of this group take their turns, see crowded.
          and not exists (select from known g where g.id = c.id and g.content_key is not null)
        limit 1
      ) sharer on true,
      lateral (
        select * from (values
          (1, k.id is null, 'unknown', 'unknown_item', 0.0),
          (2, k.state in ('done', 'skipped', 'dead', 'cancelled'), 'done', k.state, 0.0),
          -- Also in a batch that was stopped: what runs ends by itself, and what it paid for is kept.
          (3, k.state = 'running' and k.leased_until > moment and k.held_by is distinct from k.holder, 'rest', 'leased',
            extract(epoch from k.leased_until - moment)::double precision),
          (4, k.batch_state in ('cancelling', 'cancelled'), 'cancelled', 'cancelled', 0.0),
          (4, k.batch_state in ('expiring', 'expired') or k.deadline <= moment, 'cancelled', 'expired', 0.0),
          (5, k.state = 'waiting' and k.not_before > moment + make_interval(secs => patience_seconds), 'rest', 'too_early',
            extract(epoch from k.not_before - moment)::double precision),
          (6, cached.result_id is not null and k.held_by is distinct from k.holder, 'cached', 'cached', 0.0),
          (7, k.attempts >= max_attempts and k.held_by is distinct from k.holder, 'dead', 'attempts_exhausted', 0.0),
          (8, twin.leased_until is not null, 'rest', 'twin_running',
            least(extract(epoch from twin.leased_until - moment)::double precision, 10.0)),
          (9, same.result_id is not null, 'known', 'known', 0.0),
          (10, sharer.leased_until is not null, 'rest', 'twin_running',
            least(extract(epoch from sharer.leased_until - moment)::double precision, 10.0)),
          (11, true, 'run', null, 0.0)
        ) as rule (rank, applies, decision, reason, wait)
        where rule.applies order by rule.rank limit 1
      ) d
    )
    select row(d.item_id, d.holder, d.place,
      case when d.crowded then 'rest' else d.decision end,
      case when d.crowded then 'twin_running' else d.reason end,
      case when d.crowded then 10.0 else d.wait end,
      d.fingerprint, case when d.decision in ('cached', 'known') then d.result_id end, d.domain, '{}')::public.claim_plan
    from decided d order by d.place
  );
end
$$;

-- What the upstreams say: breakers of the quota and of each domain, the quota's rest, and its pace.
--
-- Pace: calls of a quota leave one by one, 60 / requests_per_minute apart (tokens likewise), 2 % wider so that no call that
-- keeps to its slot as shared/slots.py says makes one too many in any 10 s. What would have to wait longer than `patience_seconds` is sent back
-- and comes in single file (`tail`), not all at once.
create function public.claim_pace(
  plan public.claim_plan[], quota_name text, reserve_tokens integer, lease_seconds double precision,
  patience_seconds double precision, books boolean, lead_seconds double precision, moment timestamptz
) returns public.claim_plan[]
language plpgsql set search_path = '' as $$
declare
  valve public.quotas;
  request_gap double precision;
  token_gap double precision;
  -- Between two that are sent back: those that would call come back call by call, those that prepare as the queue would
  -- hand them out, for many of them will turn out to need no call.
  tail_gap double precision;
  request_base double precision;
  token_base double precision;
  rest_base double precision;
  -- Who prepares comes so long before the slot that it may hope for.
  ahead double precision := case when books then 0 else patience_seconds end;
  running integer;
  resting integer;
  last_slot double precision;
  watched text[];
begin
  if not exists (select from unnest(plan) p where p.decision = 'run') then
    return plan;
  end if;
  -- Not "for update": an item that is enlisted beside it shares a lock on its quota, and neither should wait.
  select * into valve from public.quotas q where q.name = quota_name for no key update;
  if not found then
    raise exception 'quota "%" is not in the table quotas', quota_name
      using hint = 'Write it in functions/quotas.yaml and deploy, which calls sync_quotas_v1.', errcode = 'PW001';
  end if;

  watched := array['quota:' || quota_name]
    || array(select distinct 'domain:' || p.domain from unnest(plan) p where p.decision = 'run' and p.domain is not null);
  perform from public.breakers b where b.name = any (watched) and b.state <> 'closed' order by b.name for update;
  if found then
    plan := public.claim_break(plan, 'quota:' || quota_name, watched, moment);
  end if;

  request_gap := 60.0 * 1.02 / valve.requests_per_minute;
  token_gap := public.token_gap(reserve_tokens, valve.tokens_per_minute);
  tail_gap := case when books or valve.dispatches_per_minute is null then greatest(request_gap, token_gap)
    else least(60.0 / valve.dispatches_per_minute, greatest(request_gap, token_gap)) end;
  rest_base := greatest(0, public.seconds_between(moment, valve.rests_until));
  request_base := greatest(rest_base, public.seconds_between(moment, valve.request_slot),
    case when books then least(lead_seconds, patience_seconds) else 0 end);
  token_base := case when valve.tokens_per_minute is null then rest_base
    else greatest(rest_base, public.seconds_between(moment, valve.token_slot)) end;

  select count(*), max(slot) into running, last_slot from (
    select greatest(request_base + (row_number() over (order by p.place) - 1) * request_gap,
      token_base + (row_number() over (order by p.place) - 1) * token_gap) as slot
    from unnest(plan) p where p.decision = 'run'
  ) s where s.slot <= patience_seconds;
  select count(*) - running into resting from unnest(plan) p where p.decision = 'run';

  plan := array(
    select case
      when p.decision <> 'run' then p
      when s.turn <= running then row(p.item_id, p.holder, p.place, 'run', null,
        case when books then greatest(request_base + (s.turn - 1) * request_gap, token_base + (s.turn - 1) * token_gap)
          else 0 end,
        p.fingerprint, null, p.domain, p.probes)::public.claim_plan
      else row(p.item_id, p.holder, p.place, 'rest', coalesce(case when rest_base > 0 then valve.rest_reason end, 'quota_full'),
        greatest(public.seconds_between(moment, valve.tail), request_base - ahead, token_base - ahead, rest_base)
          + (s.turn - running) * tail_gap,
        p.fingerprint, null, p.domain, '{}')::public.claim_plan
      end
    from unnest(plan) p
    left join (
      select r.place, row_number() over (order by r.place) as turn from unnest(plan) r where r.decision = 'run'
    ) s on s.place = p.place
    order by p.place
  );

  update public.quotas q set
    request_slot = case when running = 0 or not books then q.request_slot
      else moment + make_interval(secs => last_slot + request_gap) end,
    token_slot = case when running = 0 or not books or valve.tokens_per_minute is null then q.token_slot
      else moment + make_interval(secs => last_slot + token_gap) end,
    tail = case when resting = 0 then q.tail
      else moment + make_interval(secs => greatest(
          public.seconds_between(moment, q.tail), request_base - ahead, token_base - ahead, rest_base
        ) + resting * tail_gap) end
  where q.name = quota_name;

  -- One probe per resting upstream, leased, so that a prober that dies does not strand it.
  update public.breakers b set
    state = 'half_open', probe_holder = p.holder,
    probe_until = moment + make_interval(secs => lease_seconds + p.wait)
  from unnest(plan) p
  where p.decision = 'run' and b.name = any (p.probes);
  return plan;
end
$$;

-- Seconds between two calls of `tokens` each. A minute holds a whole number of calls, so that no window gets one more.
-- Tokens are spaced 3 % wider: what a call used beyond its reserve moves only the slots that are not handed out yet.
create function public.token_gap(tokens integer, tokens_per_minute double precision) returns double precision
language sql immutable set search_path = '' as $$
  select case
    when tokens_per_minute is null or tokens = 0 then 0
    when tokens >= tokens_per_minute then 60.0 * 1.03 * tokens / tokens_per_minute
    else 60.0 * 1.03 / floor(tokens_per_minute / tokens) end
$$;

-- Sends back whatever would call a resting upstream, all but the one probe of each whose rest is over.
create function public.claim_break(plan public.claim_plan[], quota_breaker text, watched text[], moment timestamptz)
returns public.claim_plan[]
language sql set search_path = '' as $$
  with unwell as (
    -- Who meets a probe that is out waits for its answer (a few seconds, rest_of), not for the end of its lease.
    select b.name, b.probe_holder, b.rests_until as look_again,
      greatest(b.rests_until, case when b.state = 'half_open' then b.probe_until end) as rests_until
    from public.breakers b where b.name = any (watched) and b.state <> 'closed'
  ),
  touched as (
    select p.place, p.holder, d as on_domain, q as on_quota,
      row_number() over (partition by d.name order by d.probe_holder is distinct from p.holder, p.place) as domain_turn
    from unnest(plan) p
    left join unwell d on d.name = 'domain:' || p.domain
    left join unwell q on q.name = quota_breaker
    where p.decision = 'run'
  ),
  past_domain as (
    -- A prober that renews its claim stays the prober.
    select t.*, (t.on_domain).name is null or (t.domain_turn = 1
        and ((t.on_domain).probe_holder is not distinct from t.holder or (t.on_domain).rests_until <= moment)) as domain_ok
    from touched t
  ),
  turned as (
    select t.*, row_number() over (
        partition by t.domain_ok order by (t.on_quota).probe_holder is distinct from t.holder, t.place
      ) as quota_turn
    from past_domain t
  ),
  past_quota as (
    select t.*, (t.on_quota).name is null or (t.quota_turn = 1
        and ((t.on_quota).probe_holder is not distinct from t.holder or (t.on_quota).rests_until <= moment)) as quota_ok
    from turned t
  )
  select array_agg(
    case
      when t.place is null then p
      when not t.domain_ok then row(p.item_id, p.holder, p.place, 'rest', 'domain_rests',
        public.rest_of((t.on_domain).look_again, moment), p.fingerprint, null, p.domain, '{}')::public.claim_plan
      when not t.quota_ok then row(p.item_id, p.holder, p.place, 'rest', 'quota_broken',
        public.rest_of((t.on_quota).look_again, moment), p.fingerprint, null, p.domain, '{}')::public.claim_plan
      else row(p.item_id, p.holder, p.place, p.decision, p.reason, p.wait, p.fingerprint, null, p.domain,
        array_remove(array[(t.on_domain).name, (t.on_quota).name], null))::public.claim_plan
    end order by p.place)
  from unnest(plan) p
  left join past_quota t on t.place = p.place
$$;
