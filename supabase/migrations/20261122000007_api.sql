-- What the API adds: tiers and admission, batches with a deadline, a priority, an end that is found once, and a webhook;
-- dead letters that are replayed or discarded, and who did it.

-- ---------------------------------------------------------------------------------------------- tiers and admission

create table public.tiers (
  name text primary key,
  -- All endpoints together that have no limit of their own in tier_limits.
  requests_per_minute integer not null check (requests_per_minute > 0)
);
comment on table public.tiers is 'What a key may ask in a minute. Change a row, and it holds from the next request on.';

create table public.tier_limits (
  tier text not null references public.tiers (name) on delete cascade,
  endpoint text not null check (endpoint in ('submit', 'status', 'results')),
  requests_per_minute integer not null check (requests_per_minute > 0),
  primary key (tier, endpoint)
);
comment on table public.tier_limits is 'Endpoints with a bucket of their own, beside the tier''s.';

insert into public.tiers (name, requests_per_minute) values
  ('default', 60), ('premium', 120), ('enterprise', 300), ('internal', 60000);
insert into public.tier_limits (tier, endpoint, requests_per_minute)
select t.tier, e.endpoint, e.requests_per_minute * t.times
from (values ('default', 1), ('premium', 2), ('enterprise', 5), ('internal', 1000)) as t (tier, times),
  (values ('submit', 10), ('status', 180), ('results', 60)) as e (endpoint, requests_per_minute);

alter table public.api_keys add column tier text not null default 'default' references public.tiers (name);
alter table public.api_keys add column operator boolean not null default false;

-- Not logged: a crash fills every bucket, and costs no write ahead of each request.
create unlogged table public.rate_buckets (
  key_id uuid not null,
  bucket text not null,
  -- When the bucket is full again: it holds a minute's requests, and each taken moves this by a minute / requests.
  full_at timestamptz not null,
  allowed boolean not null default true,
  refused bigint not null default 0,
  primary key (key_id, bucket)
);
create unlogged table public.address_misses (
  address text primary key,
  misses integer not null,
  window_ends timestamptz not null,
  blocked_until timestamptz
);
comment on table public.address_misses is
  'Addresses that came with unknown keys, and until when those are turned away; known keys are let in from there, too.';

-- asks: {place, key_hash, endpoint, address}. One answer each:
--   ok        `remaining` of `per_minute` are left; the bucket is full again in `reset_seconds`
--   refused   come back in `retry_seconds`
--   unknown   no such key, or revoked; counted against the address
--   blocked   no such key, from an address that sent too many of them: for `retry_seconds` it is told so, and not counted
-- A known key is let in from any address: many callers share one behind a proxy, and one of them may be wrong.
-- Rows are locked in one order (by key and bucket, then by address).
create function public.admit_v1(asks jsonb[])
returns table (
  place integer, verdict text, key_id uuid, key_name text, tier text, operator boolean, bucket text,
  per_minute integer, remaining integer, reset_seconds double precision, retry_seconds double precision
)
language plpgsql set search_path = '' as $$
declare
  moment timestamptz := public.moment();
  ask record;
  taken public.rate_buckets;
  gap interval;
  missed text[] := '{}';
begin
  for ask in
    select a.place, a.address, k.id, k.name, k.tier, k.operator,
      case when l.endpoint is null then 'all' else l.endpoint end as bucket,
      coalesce(l.requests_per_minute, t.requests_per_minute) as per_minute,
      extract(epoch from m.blocked_until - moment)::double precision as blocked
    from unnest(asks) u (body), jsonb_to_record(u.body) a (place integer, key_hash text, endpoint text, address text)
    left join public.api_keys k on k.key_hash = a.key_hash and k.revoked_at is null
    left join public.tiers t on t.name = k.tier
    left join public.tier_limits l on l.tier = k.tier and l.endpoint = a.endpoint
    left join public.address_misses m on m.address = a.address and m.blocked_until > moment
    order by k.id, bucket, a.place
  loop
    place := ask.place; key_id := ask.id; key_name := ask.name; tier := ask.tier; operator := ask.operator;
    bucket := ask.bucket; per_minute := ask.per_minute;
    remaining := null; reset_seconds := null; retry_seconds := null;
    if ask.id is null and ask.blocked is not null then
      verdict := 'blocked';
      retry_seconds := ask.blocked;
    elsif ask.id is null then
      verdict := 'unknown';
      missed := missed || ask.address;
    else
      gap := interval '1 minute' / ask.per_minute;
      insert into public.rate_buckets as b (key_id, bucket, full_at) values (ask.id, ask.bucket, moment + gap)
      on conflict on constraint rate_buckets_pkey do update set
        allowed = greatest(b.full_at, moment) + gap <= moment + interval '1 minute',
        full_at = case when greatest(b.full_at, moment) + gap <= moment + interval '1 minute'
          then greatest(b.full_at, moment) + gap else b.full_at end,
        refused = b.refused
          + case when greatest(b.full_at, moment) + gap <= moment + interval '1 minute' then 0 else 1 end
      returning b.* into taken;
      verdict := case when taken.allowed then 'ok' else 'refused' end;
      reset_seconds := extract(epoch from taken.full_at - moment);
      remaining := floor((60 - reset_seconds) / extract(epoch from gap) + 1e-6);
      retry_seconds := case when taken.allowed then 0 else reset_seconds + extract(epoch from gap) - 60 end;
    end if;
    return next;
  end loop;
  if missed <> '{}' then
    perform public.count_misses(missed, moment);
  end if;
end
$$;

-- 20 unknown keys within a minute block an address for ten, for further unknown keys. Who has none is not counted: all of those would be blocked.
create function public.count_misses(addresses text[], moment timestamptz) returns void
language sql set search_path = '' as $$
  insert into public.address_misses as m (address, misses, window_ends, blocked_until)
  select a.address, count(*), moment + interval '1 minute', case when count(*) >= 20 then moment + interval '10 minutes' end
  from unnest(addresses) a (address) where a.address is not null group by 1 order by 1
  on conflict (address) do update set
    misses = case when m.window_ends > moment then m.misses else 0 end + excluded.misses,
    window_ends = case when m.window_ends > moment then m.window_ends else excluded.window_ends end,
    blocked_until = case
      when case when m.window_ends > moment then m.misses else 0 end + excluded.misses >= 20
      then moment + interval '10 minutes' else m.blocked_until end
$$;

-- Each bucket of a key as it stands, without taking from it.
create function public.rate_status_v1(key_id uuid)
returns table (bucket text, per_minute integer, remaining integer, reset_seconds double precision, refused bigint)
language sql stable set search_path = '' as $$
  select l.bucket, l.per_minute, floor((60 - w.seconds) * l.per_minute / 60 + 1e-6)::integer, w.seconds,
    coalesce(b.refused, 0)
  from public.api_keys k
  cross join lateral (
    select 'all' as bucket, t.requests_per_minute as per_minute from public.tiers t where t.name = k.tier
    union all
    select e.endpoint, e.requests_per_minute from public.tier_limits e where e.tier = k.tier
  ) l
  left join public.rate_buckets b on b.key_id = k.id and b.bucket = l.bucket
  cross join lateral (
    select greatest(0, coalesce(extract(epoch from b.full_at - (select public.moment())), 0))::double precision as seconds
  ) w
  where k.id = rate_status_v1.key_id
  order by l.bucket
$$;

create function public.blocked_addresses_v1()
returns table (address text, misses integer, retry_seconds double precision)
language sql stable set search_path = '' as $$
  select m.address, m.misses, extract(epoch from m.blocked_until - clock.moment)::double precision
  from public.address_misses m, (select public.moment() as moment) clock
  where m.blocked_until > clock.moment order by m.blocked_until desc limit 1000
$$;

create function public.rate_refusals_v1() returns table (tier text, bucket text, refused bigint)
language sql stable set search_path = '' as $$
  select k.tier, b.bucket, sum(b.refused)::bigint
  from public.rate_buckets b join public.api_keys k on k.id = b.key_id group by 1, 2 order by 1, 2
$$;

-- ------------------------------------------------------------------------------------------------------------ batches

alter table public.batches
  add column priority text not null default 'normal' check (priority in ('normal', 'low')),
  add column deadline timestamptz,
  add column webhook_url text,
  add column webhook_secret text,
  -- How often it was opened: a batch that is retried ends once more.
  add column round integer not null default 1,
  -- When its last item ended. This mark is set once a round, by close_batches alone.
  add column finished_at timestamptz,
  -- How many of its items have come in, duplicates counted: where an upload that broke off goes on.
  add column items_in integer not null default 0,
  -- The request that made it, so that one whose answer was lost knows its own again.
  add column asked_by uuid,
  drop constraint batches_state_check,
  add constraint batches_state_check check (state in (
    'accepting', 'open', 'cancelling', 'expiring', 'completed', 'completed_with_errors', 'cancelled', 'expired')),
  add constraint batches_webhook_signed check ((webhook_url is null) = (webhook_secret is null));
comment on column public.batches.state is
  'accepting: items are still coming in; open: at work; cancelling, expiring: what waits is being cancelled; the rest: ended';
create index batches_live on public.batches (id) where finished_at is null;
create index batches_to_tell on public.batches (finished_at) where webhook_url is not null;

create table public.upload_parts (
  owner uuid not null references public.api_keys (id) on delete cascade,
  idempotency_key text not null,
  bytes bigint not null,
  digest text not null,
  broke_at timestamptz not null default public.moment(),
  primary key (owner, idempotency_key)
);
comment on table public.upload_parts is
  'Uploads whose sender went away before the last byte: nothing of them is enlisted. For a day their key takes only a body that begins with the same bytes.';

alter table public.items add column discarded_at timestamptz;
comment on column public.items.discarded_at is 'A dead item somebody has looked at and wants to see no more.';
-- "batch_id is not null" holds always: without it a look-up by input_key, planned while nothing waits, takes this index and
-- then reads all that waits.
create index items_unfinished on public.items (batch_id) where state in ('waiting', 'running') and batch_id is not null;
create index items_dead_letters on public.items (id) where state = 'dead' and discarded_at is null;
create index items_custom on public.items (custom_id) where custom_id is not null;

-- The end of these batches, if it is there: no item of theirs waits or runs. Called in the transaction that ends items,
-- after all else. Two that end the last two items at once do not see each other's: near the end they take turns at the
-- batch's row, and the second one looks again. Far from it nobody locks anything.
create function public.close_batches(ids uuid[]) returns integer
language plpgsql set search_path = '' as $$
declare
  moment timestamptz := public.moment();
  near uuid[];
  closed integer;
begin
  near := array(
    select b.id from public.batches b
    where b.id = any (ids) and b.finished_at is null
      -- More than a queue has in flight, so more than could end at the same moment.
      and (select count(*) from (
        select from public.items i where i.batch_id = b.id and i.state in ('waiting', 'running') limit 301
      ) l) <= 300
    order by b.id for no key update
  );
  if near = '{}' then
    return 0;
  end if;
  update public.batches b set
    finished_at = moment,
    state = case
      when b.state = 'cancelling' then 'cancelled'
      when b.state = 'expiring' or (b.deadline <= moment and exists (
        select from public.items i where i.batch_id = b.id and i.state = 'cancelled' and i.reason = 'expired'
      )) then 'expired'
      when exists (select from public.items i where i.batch_id = b.id and i.state = 'dead') then 'completed_with_errors'
      else 'completed' end
  where b.id = any (near) and b.finished_at is null and b.state in ('open', 'cancelling', 'expiring')
    and not exists (select from public.items i where i.batch_id = b.id and i.state in ('waiting', 'running'));
  get diagnostics closed = row_count;
  return closed;
end
$$;

-- A batch to be filled, or for a repeated Idempotency-Key the one of then. `body_hash` is over the whole body, so all of it
-- has come before anything is made.
--   new    made by this request     known   made before by the same body     other   made before by another one
--   part   under this key a body broke off after `part_bytes`: call again with the digest over so many bytes of this one
--   late   its deadline has passed: nothing was made
create function public.begin_batch_v1(
  owner uuid, asked_by uuid, function_name text, source text, idempotency_key text, body_hash text,
  priority text default 'normal', deadline timestamptz default null, webhook_url text default null,
  webhook_secret text default null, part_hash text default null
)
returns table (verdict text, batch_id uuid, state text, items_in integer, part_bytes bigint, secret text)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  known boolean := exists (
    select from public.batches b
    where b.owner = begin_batch_v1.owner and b.idempotency_key = begin_batch_v1.idempotency_key
  );
  part public.upload_parts;
begin
  select * into part from public.upload_parts p
  where p.owner = begin_batch_v1.owner and p.idempotency_key = begin_batch_v1.idempotency_key
    and p.broke_at > public.moment() - interval '1 day';
  if not known and part.digest <> coalesce(part_hash, '') then
    return query select 'part', null::uuid, null::text, null::integer, part.bytes, null::text;
    return;
  end if;
  if not known and (begin_batch_v1.deadline is null or begin_batch_v1.deadline > public.moment()) then
    insert into public.batches as b (owner, asked_by, function, source, idempotency_key, body_hash, priority, deadline,
      webhook_url, webhook_secret, fanned_at)
    values (begin_batch_v1.owner, begin_batch_v1.asked_by, function_name, begin_batch_v1.source,
      begin_batch_v1.idempotency_key, begin_batch_v1.body_hash, begin_batch_v1.priority, begin_batch_v1.deadline,
      begin_batch_v1.webhook_url, begin_batch_v1.webhook_secret, public.moment())
    on conflict do nothing;
    delete from public.upload_parts p
    where p.owner = begin_batch_v1.owner and p.idempotency_key = begin_batch_v1.idempotency_key;
  end if;
  return query
  select case when b.asked_by = begin_batch_v1.asked_by then 'new'
      when b.body_hash = begin_batch_v1.body_hash then 'known' else 'other' end,
    b.id, b.state, b.items_in, null::bigint, b.webhook_secret
  from public.batches b
  where b.owner = begin_batch_v1.owner and b.idempotency_key = begin_batch_v1.idempotency_key;
  if not found then
    return query select 'late', null::uuid, null::text, null::integer, null::bigint, null::text;
  end if;
end
$$;

-- A body that broke off after `bytes`. Kept is the first one; a key that has its batch already needs none.
create function public.note_part_v1(owner uuid, idempotency_key text, bytes bigint, digest text) returns void
language sql set search_path = '' as $$
  insert into public.upload_parts as p (owner, idempotency_key, bytes, digest)
  select note_part_v1.owner, note_part_v1.idempotency_key, note_part_v1.bytes, note_part_v1.digest
  where not exists (
    select from public.batches b
    where b.owner = note_part_v1.owner and b.idempotency_key = note_part_v1.idempotency_key
  )
  on conflict (owner, idempotency_key) do update set
    bytes = excluded.bytes, digest = excluded.digest, broke_at = excluded.broke_at
  where p.broke_at <= public.moment() - interval '1 day'
$$;

-- A batch of one chunk in one call: begun, taken, and `opened` (then the fan-out is to be told). Verdicts as those of
-- begin_batch_v1 and take_chunk_v1.
create function public.submit_v1(
  owner uuid, asked_by uuid, function_name text, quota_name text, idempotency_key text, body_hash text,
  inputs jsonb[], priority text default 'normal', deadline timestamptz default null, webhook_url text default null,
  webhook_secret text default null, part_hash text default null
)
returns table (verdict text, batch_id uuid, part_bytes bigint, secret text, opened boolean)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  begun record;
begin
  select * into begun from public.begin_batch_v1(submit_v1.owner, submit_v1.asked_by, function_name, 'items',
    submit_v1.idempotency_key, submit_v1.body_hash, submit_v1.priority, submit_v1.deadline, submit_v1.webhook_url,
    submit_v1.webhook_secret, submit_v1.part_hash);
  verdict := begun.verdict;
  batch_id := begun.batch_id;
  part_bytes := begun.part_bytes;
  secret := begun.secret;
  opened := verdict = 'new' or begun.state = 'accepting';
  if opened and verdict in ('new', 'known') then
    perform public.take_chunk_v1(begun.batch_id, body_hash, 0, inputs, function_name, quota_name);
    perform public.open_batch_v1(begun.batch_id, body_hash, cardinality(inputs));
  end if;
  return next;
end
$$;

-- Items of an upload from number `start` on (the first is 0), in their order. `body_hash` is that of the whole body.
--   taken   they are in, now or since an earlier call      other   they are of another body      closed   it takes no more
create function public.take_chunk_v1(
  batch_id uuid, body_hash text, start integer, inputs jsonb[], function_name text, quota_name text
) returns text
language plpgsql set search_path = '' as $$
declare
  batch public.batches;
  done record;
begin
  select * into batch from public.batches b where b.id = take_chunk_v1.batch_id for no key update;
  if batch.body_hash is distinct from take_chunk_v1.body_hash then
    return 'other';
  elsif batch.items_in >= start + cardinality(inputs) then
    return 'taken';
  elsif batch.state <> 'accepting' then
    return 'closed';
  elsif batch.items_in < start then
    raise exception 'item % came before item %', start, batch.items_in;
  end if;
  -- Another call with the same body may be ahead by a part of these.
  select * into done from public.enlist_v1(
    inputs[batch.items_in - start + 1:], take_chunk_v1.batch_id, function_name, quota_name);
  update public.batches b set
    items_in = start + cardinality(inputs), duplicates = b.duplicates + done.duplicates
  where b.id = take_chunk_v1.batch_id;
  return 'taken';
end
$$;

-- All items are in. A batch whose items had ended by then, or that has none, ends here. Twice is once. For an upload
-- `body_hash` and `items` say what its sender means by all.
--   opened   now or before      other   of another body      unfinished   it has not so many items      closed   it was stopped
create function public.open_batch_v1(batch_id uuid, body_hash text default null, items integer default null) returns text
language plpgsql set search_path = '' as $$
declare
  batch public.batches;
begin
  select * into batch from public.batches b where b.id = open_batch_v1.batch_id for no key update;
  if open_batch_v1.body_hash is not null and batch.body_hash is distinct from open_batch_v1.body_hash then
    return 'other';
  elsif batch.items_in <> items then
    return 'unfinished';
  elsif batch.state = 'accepting' then
    update public.batches b set state = 'open', fanned_at = public.moment() where b.id = batch.id;
    perform public.close_batches(array[batch.id]);
  elsif batch.state in ('cancelling', 'expiring', 'cancelled', 'expired') then
    return 'closed';
  end if;
  return 'opened';
end
$$;

-- A submission that was refused, or that nobody can finish: its key is free again and nobody is told of its end. None of
-- its items has a task, so they are deleted, `most` at a time, and then the batch. Returns whether to call again.
create function public.drop_upload_v1(batch_id uuid, most integer default 5000) returns boolean
language plpgsql set search_path = '' as $$
declare
  dropped integer;
begin
  update public.batches b set
    state = 'cancelling', idempotency_key = 'void-' || b.id, webhook_url = null, webhook_secret = null
  where b.id = drop_upload_v1.batch_id and b.state = 'accepting';
  delete from public.items i where i.id = any (array(
    select o.id from public.items o join public.batches b on b.id = o.batch_id
    where b.id = drop_upload_v1.batch_id and b.idempotency_key = 'void-' || b.id
    order by o.id limit most
  ));
  get diagnostics dropped = row_count;
  if dropped < most then
    delete from public.batches b where b.id = drop_upload_v1.batch_id and b.idempotency_key = 'void-' || b.id;
  end if;
  return dropped = most;
end
$$;

-- Cancels what waits, as far as nobody else holds it: who does will find the batch stopped.
create function public.stop_items(batch_id uuid, why text, most integer) returns integer
language plpgsql set search_path = '' as $$
declare
  stopped integer;
begin
  update public.items i set state = 'cancelled', reason = why, finished_at = (select public.moment()), queued_at = null, not_before = null
  where i.id = any (array(
    select w.id from public.items w where w.batch_id = stop_items.batch_id and w.state = 'waiting'
    order by w.id limit most for update skip locked
  ));
  get diagnostics stopped = row_count;
  return stopped;
end
$$;

create table public.audit (
  id uuid primary key default public.new_id(),
  at timestamptz not null default public.moment(),
  key_id uuid references public.api_keys (id),
  action text not null check (action in ('cancel', 'retry_failed', 'replay', 'discard', 'revoke')),
  -- What was asked for: a batch, an item, a key, or the filter.
  target jsonb not null,
  affected integer not null
);
comment on table public.audit is
  'Who replayed, discarded, retried, cancelled or revoked what, when, and how many items it was. No key_id: whoever holds '
  'the secret key of Supabase.';

-- Stops a batch: cancels up to `most` of what waits; what runs ends by itself. Called again, it goes on.
-- `owner`: null for an operator, who sees all. No row: no such batch.
create function public.cancel_batch_v1(batch_id uuid, owner uuid, actor uuid, most integer default 5000)
returns table (state text, cancelled integer, goes_on boolean)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  batch public.batches;
  stopped integer := 0;
  first boolean;
begin
  select * into batch from public.batches b
  where b.id = cancel_batch_v1.batch_id and (cancel_batch_v1.owner is null or b.owner = cancel_batch_v1.owner)
  for no key update;
  if not found then
    return;
  end if;
  if batch.finished_at is null then
    first := batch.state in ('accepting', 'open');
    update public.batches b set state = 'cancelling' where b.id = batch.id and b.state in ('accepting', 'open');
    stopped := public.stop_items(batch.id, 'cancelled', most);
    if first then
      insert into public.audit (key_id, action, target, affected)
      values (actor, 'cancel', jsonb_build_object('batch_id', batch.id), stopped);
    else
      -- The same cancellation, gone on with.
      update public.audit a set affected = a.affected + stopped
      where stopped > 0 and a.id = (
        select l.id from public.audit l where l.action = 'cancel' and l.target @> jsonb_build_object('batch_id', batch.id)
        order by l.id desc limit 1
      );
    end if;
    perform public.close_batches(array[batch.id]);
  end if;
  return query select b.state, stopped, stopped = most from public.batches b where b.id = batch.id;
end
$$;

-- Revokes a key: from now on it opens nothing. Its batches that have not ended are cancelled, up to `most` waiting items
-- a call; what is at work ends by itself. With `let_finish` they go on instead. Called again, it goes on where it was.
-- No row: no such key. `items`: those that were cancelled by this call, or that go on.
-- Locks: the key, its batches by id, then their items, as cancel_batch_v1 does.
create function public.revoke_key_v1(key_id uuid, let_finish boolean default false, most integer default 5000)
returns table (name text, batches integer, items integer, at_work integer, goes_on boolean)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  held public.api_keys;
  unfinished uuid[];
  batch uuid;
begin
  select * into held from public.api_keys k where k.id = revoke_key_v1.key_id for no key update;
  if not found then
    return;
  end if;
  update public.api_keys k set revoked_at = public.moment() where k.id = held.id and k.revoked_at is null;
  unfinished := array(
    select b.id from public.batches b where b.owner = held.id and b.finished_at is null order by b.id for no key update
  );
  name := held.name;
  batches := cardinality(unfinished);
  goes_on := false;
  at_work := (select count(*) from public.items i where i.batch_id = any (unfinished) and i.state = 'running');
  if let_finish then
    items := (select count(*) from public.items i where i.batch_id = any (unfinished) and i.state = 'waiting');
  else
    items := 0;
    update public.batches b set state = 'cancelling' where b.id = any (unfinished) and b.state in ('accepting', 'open');
    foreach batch in array unfinished loop
      items := items + public.stop_items(batch, 'key_revoked', most - items);
    end loop;
    goes_on := items >= most;
    perform public.close_batches(unfinished);
  end if;
  insert into public.audit (action, target, affected)
  select 'revoke', jsonb_build_object('key_id', held.id, 'name', held.name, 'let_finish', let_finish, 'batches', batches),
    case when let_finish then 0 else items end
  where held.revoked_at is null or (items > 0 and not let_finish);
  return next;
end
$$;

-- What time does to batches; the sweep calls it. Returns what is to be done again at once.
--   deadlines that passed   expiring: what waits is cancelled
--   stopped, yet waiting    cancelled, `most` at a time; also what the cancellation passed over (it was locked)
--   an upload that died     cancelled, and nobody is told: without a key (which is then named after the request) after ten
--                           minutes, for nobody can finish it; with one after a day
--   a backlog order that died   after a day its items are all there will be
--   ended, but not closed   whoever should have closed it died
create function public.tend_batches_v1(most integer default 2000)
returns table (expired integer, cancelled integer, closed integer)
language plpgsql set search_path = '' as $$
declare
  moment timestamptz := public.moment();
  batch record;
begin
  with late as (
    select b.id from public.batches b
    where b.finished_at is null and (b.state = 'open' or b.state = 'accepting' and b.source = 'backlog')
      and b.deadline <= moment
    order by b.id for no key update skip locked
  )
  update public.batches b set state = 'expiring' from late where b.id = late.id;
  get diagnostics expired = row_count;

  update public.batches b set
    state = 'cancelling', idempotency_key = 'void-' || b.id, webhook_url = null, webhook_secret = null
  where b.finished_at is null and b.state = 'accepting' and b.source = 'items'
    and coalesce(b.fanned_at, b.created_at) < moment - case b.idempotency_key
      when 'none-' || b.asked_by then interval '10 minutes' else interval '1 day' end;
  delete from public.upload_parts p where p.broke_at < moment - interval '1 day';

  cancelled := 0;
  for batch in
    select b.id, b.state from public.batches b
    where (b.finished_at is null or b.finished_at > moment - interval '1 hour')
      and b.state in ('cancelling', 'expiring', 'cancelled', 'expired')
      and exists (select from public.items i where i.batch_id = b.id and i.state = 'waiting')
    order by b.id limit 100
  loop
    exit when cancelled >= most;
    cancelled := cancelled + public.stop_items(
      batch.id, case when batch.state in ('expiring', 'expired') then 'expired' else 'cancelled' end, most - cancelled);
  end loop;

  update public.batches b set state = 'open'
  where b.finished_at is null and b.state = 'accepting' and b.source = 'backlog'
    and coalesce(b.fanned_at, b.created_at) < moment - interval '1 day';

  closed := public.close_batches(array(
    select b.id from public.batches b
    where b.finished_at is null and b.state in ('open', 'cancelling', 'expiring')
      and not exists (select from public.items i where i.batch_id = b.id and i.state in ('waiting', 'running'))
    order by b.id limit 1000
  ));
  delete from public.address_misses m where greatest(m.window_ends, m.blocked_until) < moment - interval '1 hour';
  return next;
end
$$;

-- Items of low batches that get their tasks now: no more than the quota can do until the next sweep, with all that
-- stands in its queue already. While batches of normal priority fill that, there is no room, and low ones yield.
create function public.low_items_v1(seconds double precision default 300) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('item_id', found.id, 'function', found.function)), '[]')
  from public.quotas q
  cross join lateral (
    select greatest(0, ceil(q.requests_per_minute * seconds / 60)::integer - (
      select count(*) from (
        select from public.items w where w.quota = q.name and w.state = 'waiting' and w.queued_at is not null
        limit ceil(q.requests_per_minute * seconds / 60)::integer
      ) w
    ))::integer as places
  ) room
  cross join lateral (
    select i.id, i.function from public.batches b
    cross join lateral (
      select w.id, w.function, w.quota from public.items w
      where w.batch_id = b.id and w.state = 'waiting' and w.queued_at is null
      order by w.id limit room.places
    ) i
    where b.finished_at is null and (b.state = 'open' or b.state = 'accepting' and b.source = 'backlog')
      and b.priority = 'low' and i.quota = q.name
    order by b.id, i.id limit least(room.places, 1000)
  ) found
  where room.places > 0
$$;

-- --------------------------------------------------------------------------------------------------- what callers see

-- Lists are one value each, a JSON array: of rows the project's max-rows would cut off some, without a word.

-- Batches with their progress, the newest first. `owner`: null for an operator. Timestamps as ISO 8601 text.
create function public.batches_v1(
  owner uuid default null, batch_id uuid default null, function_name text default null, states text[] default null,
  since timestamptz default null, before uuid default null, most integer default 20
) returns jsonb
language sql stable set search_path = '' as $$
  with chosen as (
    select b.* from public.batches b
    where (batches_v1.owner is null or b.owner = batches_v1.owner)
      and (batches_v1.batch_id is null or b.id = batches_v1.batch_id)
      and (function_name is null or b.function = function_name)
      and (states is null or b.state = any (states))
      and (since is null or b.created_at >= since)
      and (before is null or b.id < before)
      -- What tells of batches is no batch that somebody has sent.
      and (batches_v1.batch_id is not null or function_name is not null or b.function <> 'webhook')
    order by b.id desc limit most
  )
  select coalesce(jsonb_agg(to_jsonb(c) - 'webhook_secret' || to_jsonb(p) || jsonb_build_object('finished_at', c.finished_at)
    || jsonb_build_object('age_seconds', extract(epoch from (select public.moment()) - c.created_at))
    || jsonb_build_object('webhook', case when c.webhook_url is not null then jsonb_build_object(
      'url', c.webhook_url, 'state', coalesce(w.state, 'waiting'), 
      'attempts', coalesce(w.attempts + w.deferrals, 0), 'error', w.error) end) order by c.id desc), '[]')
  from chosen c
  join public.batch_progress_v1(array(select i.id from chosen i)) p on p.batch_id = c.id
  left join public.items w on w.function = 'webhook' and w.source_key = 'batches:' || c.id || ':' || c.round
    and w.state <> 'cancelled' and c.webhook_url is not null
$$;

-- One item with its attempts, for its owner; null: no such item.
create function public.item_v1(item_id uuid, owner uuid default null) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('item_id', i.id, 'batch_id', i.batch_id, 'function', i.function, 'custom_id', i.custom_id,
    'input', i.input, 'domain', i.domain, 'state', i.state, 'reason', i.reason, 'error', i.error, 'attempts', i.attempts,
    'deferrals', i.deferrals, 'cached', coalesce(i.result_id <> i.id, false),
    'tokens_in', i.tokens_in, 'tokens_out', i.tokens_out, 'cost_usd', i.cost_usd, 'estimated_usd', (
      select coalesce(sum(a.cost_usd), 0) from public.attempts a where a.item_id = i.id and a.estimated),
    'created_at', i.created_at, 'not_before', i.not_before, 'finished_at', i.finished_at, 'discarded_at', i.discarded_at,
    'history', coalesce((
      select jsonb_agg(jsonb_build_object('attempt', a.attempt, 'outcome', a.outcome, 'reason', a.reason, 'error', a.error,
        'seconds', a.seconds, 'model_calls', a.model_calls, 'tokens_in', a.tokens_in, 'tokens_out', a.tokens_out,
        'cost_usd', a.cost_usd, 'estimated', a.estimated, 'ended_at', a.ended_at) order by a.ended_at, a.attempt)
      from public.attempts a where a.item_id = i.id), '[]'))
  from public.items i join public.batches b on b.id = i.batch_id
  where i.id = item_v1.item_id and (item_v1.owner is null or b.owner = item_v1.owner)
$$;

-- An input as lists show it: whole, or of a long one the shortest members that have room together.
create function public.short_input(input jsonb) returns jsonb
language sql stable set search_path = '' as $$
  select case when octet_length(input::text) <= 2500 then input else (
    select coalesce(jsonb_object_agg(m.key, m.value), '{}')
    from (
      select e.key, e.value,
        sum(octet_length(e.key) + octet_length(e.value::text)) over (order by octet_length(e.value::text), e.key) as bytes
      from jsonb_each(input) e
    ) m
    where m.bytes <= 2400
  ) end
$$;

-- Of up to most + 1 lines the first `most`, as far as they have `most_bytes` together, but one at least. `goes_on`: there
-- are more after it.
create function public.page_of(lines jsonb[], most integer, most_bytes integer default 900000) returns jsonb
language sql stable set search_path = '' as $$
  select coalesce(jsonb_agg(l.line || jsonb_build_object('goes_on', l.place < cardinality(lines)) order by l.place), '[]')
  from (
    select u.line, u.place, sum(octet_length(u.line::text)) over (order by u.place) as bytes
    from unnest(lines) with ordinality u (line, place)
  ) l
  where l.place <= most and (l.bytes <= most_bytes or l.place = 1)
$$;

create function public.item_line(i public.items) returns jsonb
language sql stable set search_path = '' as $$
  select jsonb_build_object('item_id', i.id, 'batch_id', i.batch_id, 'function', i.function, 'custom_id', i.custom_id,
    'input', public.short_input(i.input), 'input_cut', public.short_input(i.input) <> i.input, 'domain', i.domain, 'state', i.state, 'reason', i.reason, 'error', i.error, 'attempts', i.attempts,
    'created_at', i.created_at, 'finished_at', i.finished_at)
$$;

create function public.batch_items_v1(
  batch_id uuid, after uuid default null, most integer default 100, states text[] default null
) returns jsonb
language sql stable set search_path = '' as $$
  select public.page_of(array(
    select public.item_line(i) from public.items i
    where i.batch_id = batch_items_v1.batch_id and (after is null or i.id > after)
      and (states is null or i.state = any (states))
    order by i.id limit most + 1), most)
$$;

-- Items by id, by custom_id, or by a part of their address. The last looks through the newest 20,000 items.
create function public.search_items_v1(words text, owner uuid default null, before uuid default null, most integer default 20)
returns jsonb
language plpgsql stable set search_path = '' as $$
#variable_conflict use_column
declare
  page jsonb;
  given uuid := case when words ~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' then words::uuid end;
  like_words text := '%' || replace(replace(replace(words, '\', '\\'), '%', '\%'), '_', '\_') || '%';
begin
  with named as (
    select i.id from public.items i where i.id = given or i.custom_id = words
  ),
  recent as (
    select n.* from public.items n
    where search_items_v1.owner is null and (before is null or n.id < before)
    order by n.id desc limit 20000
  ),
  own as (
    select n.* from public.batches b
    cross join lateral (
      select o.* from public.items o where o.batch_id = b.id and (before is null or o.id < before)
      order by o.id desc limit 20000
    ) n
    where b.owner = search_items_v1.owner
    order by b.id desc, n.id desc limit 20000
  ),
  found as (
    select r.id from recent r where r.input ->> 'url' ilike like_words or r.custom_id ilike like_words
    union
    select o.id from own o where o.input ->> 'url' ilike like_words or o.custom_id ilike like_words
    union
    select n.id from named n
  )
  select public.page_of(array(
    select public.item_line(i)
    from found f join public.items i on i.id = f.id join public.batches b on b.id = i.batch_id
    where (search_items_v1.owner is null or b.owner = search_items_v1.owner) and (before is null or i.id < before)
    order by i.id desc limit most + 1), most) into page;
  return page;
end
$$;

-- ------------------------------------------------------------------------------------------------------- dead letters

-- The dead items that fit, the newest first. `owner`: null for an operator.
create function public.dead_letter_ids(
  owner uuid, item_id uuid, batch_id uuid, function_name text, reason text, domain text,
  older_seconds double precision, younger_seconds double precision, before uuid, most integer
) returns uuid[]
language plpgsql stable set search_path = '' as $$
#variable_conflict use_column
declare
  batches uuid[];
  youngest timestamptz := public.moment() - make_interval(secs => older_seconds);
  oldest timestamptz := public.moment() - make_interval(secs => younger_seconds);
begin
  if dead_letter_ids.owner is not null or dead_letter_ids.batch_id is not null then
    batches := array(
      select b.id from public.batches b
      where (dead_letter_ids.owner is null or b.owner = dead_letter_ids.owner)
        and (dead_letter_ids.batch_id is null or b.id = dead_letter_ids.batch_id)
    );
  end if;
  return array(
    select i.id from (
      select o.* from unnest(batches) b (id)
      cross join lateral (
        select d.* from public.items d
        where d.batch_id = b.id and d.state = 'dead' and d.discarded_at is null
          and (dead_letter_ids.before is null or d.id < dead_letter_ids.before)
      ) o
      union all
      select d.* from public.items d
      where batches is null and d.state = 'dead' and d.discarded_at is null
        and (dead_letter_ids.before is null or d.id < dead_letter_ids.before)
    ) i
    where (dead_letter_ids.item_id is null or i.id = dead_letter_ids.item_id)
      and (function_name is null or i.function = function_name)
      and (dead_letter_ids.reason is null or i.reason = dead_letter_ids.reason)
      and (dead_letter_ids.domain is null or i.domain = dead_letter_ids.domain)
      and (youngest is null or i.finished_at <= youngest)
      and (oldest is null or i.finished_at >= oldest)
    order by i.id desc limit most
  );
end
$$;

create function public.dead_letters_v1(
  owner uuid default null, batch_id uuid default null, function_name text default null, reason text default null,
  domain text default null, older_seconds double precision default null, younger_seconds double precision default null,
  before uuid default null, most integer default 100
) returns jsonb
language sql stable set search_path = '' as $$
  select public.page_of(array(
    select public.item_line(i) from public.items i
    where i.id = any (public.dead_letter_ids(dead_letters_v1.owner, null, dead_letters_v1.batch_id, function_name,
      dead_letters_v1.reason, dead_letters_v1.domain, older_seconds, younger_seconds, before, most + 1))
    order by i.id desc), most)
$$;

-- Dead items back to work: their attempts begin anew, what they cost stays. Their batches open for one more round; one that
-- was stopped does not, and neither does it give up its dead. A deadline that has passed is dropped. Twice is once: what
-- waits already is no dead letter. `touched`: the batches whose items need tasks.
create function public.replay_dead_v1(
  actor uuid, action text, owner uuid default null, item_id uuid default null, batch_id uuid default null,
  function_name text default null, reason text default null, domain text default null,
  older_seconds double precision default null, younger_seconds double precision default null, most integer default 1000
)
returns table (affected integer, goes_on boolean, touched uuid[])
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  asked uuid[] := public.dead_letter_ids(replay_dead_v1.owner, replay_dead_v1.item_id, replay_dead_v1.batch_id,
    function_name, replay_dead_v1.reason, replay_dead_v1.domain, older_seconds, younger_seconds, null, most);
  moment timestamptz := public.moment();
  ready uuid[];
begin
  perform from public.items i where i.id = any (asked) order by i.id for update;
  touched := array(
    select b.id from public.batches b
    where b.id in (select i.batch_id from public.items i where i.id = any (asked))
      and b.state in ('accepting', 'open', 'completed', 'completed_with_errors')
    order by b.id for no key update
  );
  ready := array(
    select i.id from public.items i
    where i.id = any (asked) and i.state = 'dead' and i.discarded_at is null and i.batch_id = any (touched)
  );
  update public.items i set state = 'waiting', attempts = 0, deferrals = 0, reason = null, error = null, finished_at = null,
    not_before = null, queued_at = null, holder = null, leased_until = null
  where i.id = any (ready);
  touched := array(select distinct i.batch_id from public.items i where i.id = any (ready));
  update public.batches b set
    state = case when b.state = 'accepting' then b.state else 'open' end,
    round = b.round + case when b.finished_at is null then 0 else 1 end,
    deadline = case when b.deadline > moment then b.deadline end,
    finished_at = null,
    fanned_at = moment
  where b.id = any (touched);
  affected := cardinality(ready);
  goes_on := cardinality(asked) = most and affected > 0;
  perform public.note_v1(actor, action, replay_dead_v1.item_id, replay_dead_v1.batch_id, function_name,
    replay_dead_v1.reason, replay_dead_v1.domain, older_seconds, younger_seconds, affected);
  return next;
end
$$;

create function public.discard_dead_v1(
  actor uuid, owner uuid default null, item_id uuid default null, batch_id uuid default null,
  function_name text default null, reason text default null, domain text default null,
  older_seconds double precision default null, younger_seconds double precision default null, most integer default 1000
)
returns table (affected integer, goes_on boolean)
language plpgsql set search_path = '' as $$
#variable_conflict use_column
declare
  asked uuid[] := public.dead_letter_ids(discard_dead_v1.owner, discard_dead_v1.item_id, discard_dead_v1.batch_id,
    function_name, discard_dead_v1.reason, discard_dead_v1.domain, older_seconds, younger_seconds, null, most);
begin
  perform from public.items i where i.id = any (asked) order by i.id for update;
  update public.items i set discarded_at = (select public.moment())
  where i.id = any (asked) and i.state = 'dead' and i.discarded_at is null;
  get diagnostics affected = row_count;
  goes_on := cardinality(asked) = most and affected > 0;
  perform public.note_v1(actor, 'discard', discard_dead_v1.item_id, discard_dead_v1.batch_id, function_name,
    discard_dead_v1.reason, discard_dead_v1.domain, older_seconds, younger_seconds, affected);
  return next;
end
$$;

-- Into the audit, when something was done.
create function public.note_v1(
  actor uuid, action text, item_id uuid, batch_id uuid, function_name text, reason text, domain text,
  older_seconds double precision, younger_seconds double precision, affected integer
) returns void
language sql set search_path = '' as $$
  insert into public.audit (key_id, action, target, affected)
  select actor, note_v1.action, jsonb_strip_nulls(jsonb_build_object('item_id', item_id, 'batch_id', batch_id,
    'function', function_name, 'reason', reason, 'domain', domain, 'older_than_seconds', older_seconds,
    'younger_than_seconds', younger_seconds)), note_v1.affected
  where note_v1.affected > 0
$$;

-- ----------------------------------------------------------------------------------------------------------- webhooks

create table public.webhook_deliveries (
  item_id uuid primary key,
  batch_id uuid not null,
  round integer not null,
  url text not null,
  status integer not null,
  created_at timestamptz not null default public.moment()
);
comment on table public.webhook_deliveries is 'Webhooks that were taken with a 2xx.';

-- The backlog of the function webhook: batches that ended and have somebody to tell, once a round. A batch that ended with
-- its key tells nobody: the address may be that of whoever stole the key.
create view public.webhook_backlog with (security_invoker = true) as
select b.id as source_id, 'batches:' || b.id || ':' || b.round as source_key,
  jsonb_build_object('batch_id', b.id, 'round', b.round, 'url', b.webhook_url) as input
from public.batches b
where b.webhook_url is not null and b.finished_at > (select public.moment()) - interval '30 days'
  and not (b.state = 'cancelled' and exists (
    select from public.api_keys k where k.id = b.owner and k.revoked_at <= b.finished_at
  ))
  and not exists (
    select from public.items i
    where i.function = 'webhook' and i.source_key = 'batches:' || b.id || ':' || b.round and i.state <> 'cancelled'
  );

-- Where to, what to sign with, and how the batch ended.
create function public.webhook_v1(batch_id uuid)
returns table (url text, secret text, round integer, state text, finished_at timestamptz, batch jsonb)
language sql stable set search_path = '' as $$
  select b.webhook_url, b.webhook_secret, b.round, b.state, b.finished_at, v -> 0
  from public.batches b, public.batches_v1(batch_id => b.id) v
  where b.id = webhook_v1.batch_id and b.webhook_url is not null
$$;

-- The columns of a function's table, as results in CSV have them.
create function public.table_columns_v1(table_name text) returns text[]
language sql stable set search_path = '' as $$
  select array_agg(a.attname::text order by a.attnum)
  from pg_attribute a
  where a.attrelid = format('public.%I', table_name)::regclass and a.attnum > 0 and not a.attisdropped
    and a.attname <> 'item_id'
$$;
