# One dashboard: what comes in, how it ends, what waits, what it costs. Lines show where the alerts are.

locals {
  charts = [
    { title = "Items a minute, by outcome", query = local.query.outcomes, stacked = true },
    { title = "Share that ends well", query = "${local.query.ended_well} / ${local.ended}", limit = var.alerts.success_rate },
    { title = "Share of attempts that fail", query = "${local.query.failed} / ${local.query.attempts}", limit = var.alerts.error_rate },
    { title = "Seconds an item takes (P95)", query = local.query.item_seconds, limit = var.alerts.item_seconds_p95 },
    { title = "Share of attempts that are repeats", query = "${local.query.retried} / ${local.query.attempts}", limit = var.alerts.retry_share },
    { title = "Why items did not end as done (1 h)", query = local.query.reasons, stacked = true },
    { title = "Items that wait, by quota", query = local.query.waiting, stacked = true },
    { title = "Oldest due item, seconds", query = local.query.oldest, limit = var.alerts.queue_seconds },
    { title = "Tasks in a queue", query = local.query.depth, stacked = true },
    { title = "Dispatches a minute, by queue", query = local.query.dispatched },
    { title = "Open breakers", query = local.query.breakers },
    { title = "Dead items and messages", query = "${local.query.dead_items} + ${local.query.dead_messages}", limit = var.alerts.dead_letters },
    { title = "Input tokens an hour", query = local.query.tokens_by, stacked = true },
    { title = "US dollars an hour", query = local.query.cost_by, stacked = true },
    { title = "This hour against the mean hour of 7 days", query = "${local.query.cost} / (${local.query.cost_usual})", limit = var.alerts.spike_factor },
    { title = "API requests a minute", query = local.query.api_requests, stacked = true },
    { title = "API milliseconds (P95)", query = local.query.api_latency, limit = var.alerts.api_milliseconds_p95 },
    { title = "Instances", query = local.query.instances },
  ]
  vision_charts = local.of_vision == "" ? [] : [
    { title = "Share of vision attempts that fail", query = "${local.query.vision_failed} / ${local.query.vision}", limit = var.alerts.vision_error_rate },
  ]
}

resource "google_monitoring_dashboard" "piecework" {
  dashboard_json = jsonencode({
    displayName = var.prefix
    mosaicLayout = {
      columns = 48
      # Monitoring keeps no zero and no empty list; with one in it, every plan would find a change.
      tiles = [
        for place, chart in concat(local.charts, local.vision_charts) : merge(
          place % 3 == 0 ? {} : { xPos = place % 3 * 16 },
          place < 3 ? {} : { yPos = floor(place / 3) * 14 },
          {
            width  = 16
            height = 14
            widget = {
              title = chart.title
              xyChart = merge(try({ thresholds = [{ value = chart.limit }] }, {}), {
                dataSets = [{
                  plotType        = try(chart.stacked, false) ? "STACKED_AREA" : "LINE"
                  targetAxis      = "Y1"
                  timeSeriesQuery = { prometheusQuery = chart.query }
                }]
                yAxis = { scale = "LINEAR" }
              })
            }
          },
        )
      ]
    }
  })

  depends_on = [google_logging_metric.log]
}
