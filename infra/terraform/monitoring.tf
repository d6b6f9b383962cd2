# What is measured: metrics made of the functions' own log lines, and whom alerts reach.

locals {
  # Every function's log, and nobody else's in the project.
  logs = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(${join(" OR ", [for service in values(local.services) : "\"${service}\""])})"

  # One line per delivery of an item (shared/handler.py), one per quota and breaker at each sweep (functions/fanout).
  log_metrics = {
    items = {
      about  = "Deliveries of items by how they ended"
      line   = "item"
      labels = ["function", "queue", "outcome", "state", "reason", "attempt"]
    }
    item_seconds = {
      about  = "Time of one delivery of an item"
      line   = "item"
      labels = ["function", "outcome"]
      value  = "seconds"
      unit   = "s"
    }
    tokens_in = {
      about  = "Input tokens paid for"
      line   = "item"
      labels = ["function"]
      value  = "tokens_in"
      unit   = "1"
    }
    tokens_out = {
      about  = "Output tokens paid for"
      line   = "item"
      labels = ["function"]
      value  = "tokens_out"
      unit   = "1"
    }
    cost_usd = {
      about  = "What model calls cost, in US dollars"
      line   = "item"
      labels = ["function"]
      value  = "cost_usd"
      unit   = "1"
    }
    quota_oldest_seconds = {
      about  = "Age of the oldest item that waits with a due task"
      line   = "quota"
      labels = ["quota"]
      value  = "oldest_seconds"
      unit   = "s"
    }
    quota_waiting = {
      about  = "Items that wait for a quota"
      line   = "quota"
      labels = ["quota"]
      value  = "waiting"
      unit   = "1"
    }
    breakers_open = {
      about  = "Breakers that were open at a sweep"
      line   = "breaker"
      labels = ["name", "state"]
    }
  }

  channels = concat(
    [for channel in google_monitoring_notification_channel.email : channel.id],
    tolist(var.notification_channels),
  )
}

resource "google_logging_metric" "log" {
  for_each = local.log_metrics

  name            = "${var.prefix}/${each.key}"
  description     = each.value.about
  filter          = "${local.logs} AND jsonPayload.message=\"${each.value.line}\""
  value_extractor = can(each.value.value) ? "EXTRACT(jsonPayload.${each.value.value})" : null

  label_extractors = { for label in each.value.labels : label => "EXTRACT(jsonPayload.${label})" }

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = can(each.value.value) ? "DISTRIBUTION" : "INT64"
    unit        = try(each.value.unit, "1")

    dynamic "labels" {
      for_each = toset(each.value.labels)

      content {
        key        = labels.key
        value_type = "STRING"
      }
    }
  }

  # From a hundredth to three hundred million, a bucket 1.5 times as wide as the one before.
  dynamic "bucket_options" {
    for_each = can(each.value.value) ? [1] : []

    content {
      exponential_buckets {
        num_finite_buckets = 60
        growth_factor      = 1.5
        scale              = 0.01
      }
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_monitoring_notification_channel" "email" {
  for_each = var.alert_emails

  display_name = "${var.prefix}: ${each.key}"
  type         = "email"
  labels       = { email_address = each.key }

  depends_on = [time_sleep.services]
}
