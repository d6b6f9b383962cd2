# Queries: every figure that the dashboard shows and the alerts watch, in PromQL, each written once.

locals {
  # How PromQL spells the metrics: https://cloud.google.com/monitoring/promql/promql-mapping
  metric = { for name in keys(local.log_metrics) : name => "logging_googleapis_com:user_${replace(var.prefix, "-", "_")}_${name}" }
  on_run = "monitored_resource=\"cloud_run_revision\""
  here   = "service_name=~\"${join("|", values(local.services))}\""
  queues = "monitored_resource=\"cloud_tasks_queue\",queue_id=~\"${join("|", [for queue in google_cloud_tasks_queue.queue : queue.name])}\""
  dead   = "monitored_resource=\"pubsub_subscription\",subscription_id=~\"${join("|", [for dead in google_pubsub_subscription.dead : dead.name])}\""

  api           = join("|", [for name, function in local.functions : local.services[name] if contains(function.callers, "public")])
  vision_quotas = [for quota in keys(local.quotas) : quota if strcontains(quota, "vision")]
  of_vision     = join("|", [for name, function in local.functions : name if try(contains(local.vision_quotas, function.quota), false)])

  # Attempts that did the work, and those of them that failed. An attempt that met "not now" is neither.
  attempts = "outcome=~\"done|skipped|dead|failed\""
  failed   = "outcome=~\"dead|failed\""

  query = {
    outcomes      = "sum by (outcome) (rate(${local.metric.items}{${local.on_run}}[5m])) * 60"
    attempts      = "sum(increase(${local.metric.items}{${local.on_run},${local.attempts}}[15m]))"
    failed        = "(sum(increase(${local.metric.items}{${local.on_run},${local.failed}}[15m])) or vector(0))"
    ended_well    = "(sum(increase(${local.metric.items}{${local.on_run},outcome=~\"done|skipped|cached\"}[15m])) or vector(0))"
    ended_dead    = "(sum(increase(${local.metric.items}{${local.on_run},outcome=~\"dead|failed\",state=\"dead\"}[15m])) or vector(0))"
    retried       = "(sum(increase(${local.metric.items}{${local.on_run},${local.attempts},attempt!~\"0|1\"}[15m])) or vector(0))"
    vision        = "sum(increase(${local.metric.items}{${local.on_run},${local.attempts},function=~\"${local.of_vision}\"}[15m]))"
    vision_failed = "(sum(increase(${local.metric.items}{${local.on_run},${local.failed},function=~\"${local.of_vision}\"}[15m])) or vector(0))"
    reasons       = "sum by (reason) (increase(${local.metric.items}{${local.on_run},outcome=~\"skipped|dead|failed|overloaded|deferred|rest\"}[1h]))"
    item_seconds  = "histogram_quantile(0.95, sum by (le, function) (increase(${local.metric.item_seconds}_bucket{${local.on_run},${local.attempts}}[15m])))"
    dead_items    = "(sum(increase(${local.metric.items}{${local.on_run},state=\"dead\"}[1h])) or vector(0))"
    dead_messages = "(sum(pubsub_googleapis_com:subscription_num_undelivered_messages{${local.dead}}) or vector(0))"
    tokens        = "sum(increase(${local.metric.tokens_in}_sum{${local.on_run}}[1h])) + sum(increase(${local.metric.tokens_out}_sum{${local.on_run}}[1h]))"
    tokens_usual  = "(sum(increase(${local.metric.tokens_in}_sum{${local.on_run}}[7d])) + sum(increase(${local.metric.tokens_out}_sum{${local.on_run}}[7d]))) / 168"
    tokens_by     = "sum by (function) (increase(${local.metric.tokens_in}_sum{${local.on_run}}[1h]))"
    a_week        = "sum(increase(${local.metric.items}{${local.on_run}}[7d] offset 6d)) > 0"
    cost          = "sum(increase(${local.metric.cost_usd}_sum{${local.on_run}}[1h]))"
    cost_usual    = "sum(increase(${local.metric.cost_usd}_sum{${local.on_run}}[7d])) / 168"
    cost_by       = "sum by (function) (increase(${local.metric.cost_usd}_sum{${local.on_run}}[1h]))"
    oldest        = "sum by (quota) (increase(${local.metric.quota_oldest_seconds}_sum{${local.on_run}}[10m])) / sum by (quota) (increase(${local.metric.quota_oldest_seconds}_count{${local.on_run}}[10m]))"
    waiting       = "sum by (quota) (increase(${local.metric.quota_waiting}_sum{${local.on_run}}[10m])) / sum by (quota) (increase(${local.metric.quota_waiting}_count{${local.on_run}}[10m]))"
    breakers      = "sum by (name) (increase(${local.metric.breakers_open}{${local.on_run},state=\"open\"}[10m])) > 0"
    dispatched    = "sum by (queue_id) (rate(cloudtasks_googleapis_com:queue_task_attempt_count{${local.queues}}[5m])) * 60"
    depth         = "sum by (queue_id) (cloudtasks_googleapis_com:queue_depth{${local.queues}})"
    api_latency   = "histogram_quantile(0.95, sum by (le) (increase(run_googleapis_com:request_latencies_bucket{${local.on_run},service_name=~\"${local.api}\"}[15m])))"
    api_requests  = "sum by (response_code_class) (rate(run_googleapis_com:request_count{${local.on_run},service_name=~\"${local.api}\"}[5m])) * 60"
    instances     = "sum by (service_name) (run_googleapis_com:container_instance_count{${local.on_run},${local.here}})"
  }
}
