# Alerts: when somebody should look. docs/operate.md says at what, and what to do.

locals {
  # A share of few says nothing.
  enough        = "${local.query.attempts} >= ${var.alerts.least_items}"
  enough_vision = "${local.query.vision} >= ${var.alerts.least_items}"
  ended         = "(${local.query.ended_well} + ${local.query.ended_dead})"

  alert_rules = {
    success_rate = {
      title = "Few items end well"
      says  = "Less than ${var.alerts.success_rate * 100} % of the items that ended in 15 minutes are done or skipped."
      query = "${local.query.ended_well} / ${local.ended} < ${var.alerts.success_rate} and ${local.ended} >= ${var.alerts.least_items}"
    }
    error_rate = {
      title = "Many attempts fail"
      says  = "More than ${var.alerts.error_rate * 100} % of the attempts in 15 minutes failed."
      query = "${local.query.failed} / ${local.query.attempts} > ${var.alerts.error_rate} and ${local.enough}"
    }
    item_seconds = {
      title = "Items take long"
      says  = "One in twenty items of a function takes longer than ${var.alerts.item_seconds_p95} s."
      query = "${local.query.item_seconds} > ${var.alerts.item_seconds_p95}"
    }
    queue_age = {
      title = "A queue does not keep up"
      says  = "The oldest due item of a quota waits longer than ${var.alerts.queue_seconds} s."
      query = "${local.query.oldest} > ${var.alerts.queue_seconds}"
    }
    dead_letters = {
      title = "Dead letters"
      says  = "More than ${var.alerts.dead_letters} items died within an hour, or as many messages could not be delivered."
      query = "${local.query.dead_items} + ${local.query.dead_messages} > ${var.alerts.dead_letters}"
    }
    breaker_open = {
      title = "A breaker is open"
      says  = "An upstream fails so often that it is left alone for a while."
      query = local.query.breakers
    }
    retries = {
      title = "Many attempts are repeats"
      says  = "More than ${var.alerts.retry_share * 100} % of the attempts in 15 minutes were not an item's first."
      query = "${local.query.retried} / ${local.query.attempts} > ${var.alerts.retry_share} and ${local.enough}"
    }
    vision_errors = {
      title = "Vision fails"
      says  = "More than ${var.alerts.vision_error_rate * 100} % of the attempts on a vision quota failed in 15 minutes."
      query = "${local.query.vision_failed} / ${local.query.vision} > ${var.alerts.vision_error_rate} and ${local.enough_vision}"
    }
    token_spike = {
      title = "More tokens than usual"
      says  = "The last hour took more than ${var.alerts.spike_factor} times the tokens of the mean hour of 7 days."
      query = "${local.query.tokens} > ${var.alerts.spike_factor} * ${local.query.tokens_usual} and ${local.query.tokens} > ${var.alerts.spike_least_tokens} and ${local.query.a_week}"
    }
    cost_spike = {
      title = "Dearer than usual"
      says  = "The last hour cost more than ${var.alerts.spike_factor} times the mean hour of 7 days."
      query = "${local.query.cost} > ${var.alerts.spike_factor} * ${local.query.cost_usual} and ${local.query.cost} > ${var.alerts.spike_least_usd} and ${local.query.a_week}"
    }
    api_latency = {
      title = "The API is slow"
      says  = "One in twenty requests takes longer than ${var.alerts.api_milliseconds_p95} ms."
      query = "${local.query.api_latency} > ${var.alerts.api_milliseconds_p95}"
    }
    instances = {
      title = "A function has all its instances"
      says  = "As many instances of a function are at work as its manifest allows, for ${var.alerts.instances_for_seconds / 60} minutes."
      for   = var.alerts.instances_for_seconds
      # Counted moment by moment: an instance that is active now and was idle before is one, not two. That the only instance
      # a function may have is at work is no news.
      query = join(" or ", [
        for name, function in local.functions :
        "sum by (service_name) (run_googleapis_com:container_instance_count{${local.on_run},state=\"active\",service_name=\"${local.services[name]}\"}) >= ${function.max_instances}"
        if function.max_instances > 1
      ])
    }
  }
}

resource "google_monitoring_alert_policy" "alert" {
  for_each = { for name, rule in local.alert_rules : name => rule if rule.query != "" && (name != "vision_errors" || local.of_vision != "") }

  display_name          = "${var.prefix}: ${each.value.title}"
  combiner              = "OR"
  enabled               = var.alerts.enabled
  severity              = contains(["token_spike", "cost_spike", "instances", "retries"], each.key) ? "WARNING" : "ERROR"
  notification_channels = local.channels
  user_labels           = merge(local.labels, { alert = each.key })

  conditions {
    display_name = each.value.title

    condition_prometheus_query_language {
      query               = each.value.query
      duration            = "${try(each.value.for, 0)}s"
      evaluation_interval = "60s"
      alert_rule          = each.key
      rule_group          = var.prefix

      # The metrics begin to exist with the first item.
      disable_metric_validation = true
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "${each.value.says}\n\nWhat to look at and what to do: docs/operate.md, \"${each.value.title}\"."
  }

  alert_strategy {
    auto_close = "86400s"
  }

  depends_on = [google_logging_metric.log]
}
