create table public.probe_rows (
  item_id uuid primary key,
  said text not null,
  number double precision,
  url text,
  created_at timestamptz not null default now()
);
create view public.probe_backlog with (security_invoker = true) as
select n.id as source_id, 'news_urls:' || n.id as source_key, jsonb_build_object('do', 'fetch', 'url', n.url) as input
from public.news_urls n
where n.active
  and not exists (
    select from public.items i
    where i.function = 'probe' and i.source_key = 'news_urls:' || n.id and i.state <> 'cancelled'
  );
