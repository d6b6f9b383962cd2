# One Cloud Tasks queue per quota: the coarse valve. The exact one is claim_v1 in the database.

locals {
  users = {
    for quota in keys(local.quotas) : quota => [
      for name, function in local.functions : function if function.kind == "item" && function.quota == quota
    ]
  }
  # All tasks in flight may be of one function; above its instances' room Cloud Run itself answers 429.
  most_dispatches = {
    for quota, settings in local.quotas : quota => min(
      lookup(settings, "max_concurrent", 40),
      [for function in local.users[quota] : function.max_instances * function.concurrency]...
    )
  }
}

resource "google_cloud_tasks_queue" "queue" {
  for_each = local.quotas

  name     = "${var.prefix}-${each.key}"
  location = var.region

  rate_limits {
    max_dispatches_per_second = lookup(each.value, "dispatches_per_minute", each.value.requests_per_minute) / 60
    max_concurrent_dispatches = local.most_dispatches[each.key]
  }

  # Without end: the database counts attempts, and an item may not vanish with its task.
  retry_config {
    max_attempts  = -1
    min_backoff   = "2s"
    max_backoff   = "60s"
    max_doublings = 5
  }

  depends_on = [time_sleep.services]
}
