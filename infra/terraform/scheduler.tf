# Schedules: a run over a function's backlog is an order to the fan-out; a push function's schedule says its own order.

locals {
  scheduled = { for name, function in local.functions : name => function if function.schedule != null }
  orders = {
    for name, function in local.scheduled : name => function.kind == "push"
    ? { topic = function.topic, data = jsonencode(function.order) }
    : { topic = "fanout", data = jsonencode({ function = name, limit = function.schedule_limit }) }
  }
}

resource "google_cloud_scheduler_job" "schedule" {
  for_each = local.scheduled

  name        = "${local.services[each.key]}-schedule"
  region      = var.region
  description = each.value.kind == "push" ? "Order of functions/${each.key}" : "Run over the backlog of functions/${each.key}"
  schedule    = each.value.schedule
  time_zone   = var.time_zone
  paused      = !var.schedules

  pubsub_target {
    topic_name = google_pubsub_topic.topic[local.orders[each.key].topic].id
    data       = base64encode(local.orders[each.key].data)
  }
}
