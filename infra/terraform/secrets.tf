# Secrets: their values are written once and never kept in the state; functions read a pinned version.

locals {
  secrets = setunion([], [for function in local.functions : function.secrets]...)
}

resource "google_secret_manager_secret" "secret" {
  for_each = local.secrets

  secret_id           = "${var.prefix}-${replace(lower(each.key), "_", "-")}"
  deletion_protection = var.protect_data

  replication {
    auto {}
  }

  depends_on = [time_sleep.services]
}

# A new value is a new version, the functions move to it, then the old one is disabled: it can be gone back to.
resource "google_secret_manager_secret_version" "version" {
  for_each = local.secrets

  secret                 = google_secret_manager_secret.secret[each.key].id
  secret_data_wo         = lookup(var.secret_values, each.key, "")
  secret_data_wo_version = lookup(var.secret_versions, each.key, 1)
  deletion_policy        = "DISABLE"

  lifecycle {
    create_before_destroy = true
  }
}
