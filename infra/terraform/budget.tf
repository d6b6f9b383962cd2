# A budget over the project, where one was asked for: it tells, it stops nothing.

resource "google_billing_budget" "month" {
  count = var.monthly_budget > 0 ? 1 : 0

  billing_account = var.billing_account
  display_name    = "${var.prefix}: ${var.project}" # at most 60 letters

  budget_filter {
    projects        = ["projects/${data.google_project.project.number}"]
    calendar_period = "MONTH"
  }

  amount {
    specified_amount {
      units = tostring(var.monthly_budget)
    }
  }

  dynamic "threshold_rules" {
    for_each = [0.5, 0.9, 1]

    content {
      threshold_percent = threshold_rules.value
    }
  }

  # Google refuses a rule that tells nobody. Without it the billing account's administrators are still told by e-mail.
  dynamic "all_updates_rule" {
    for_each = length(local.channels) > 0 ? [local.channels] : []

    content {
      monitoring_notification_channels = all_updates_rule.value
    }
  }

  depends_on = [time_sleep.services]
}
