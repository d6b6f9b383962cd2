# Review: the account that plans pull requests. A request brings code of its own, so this account can read what Terraform made,
# and neither change it nor read a secret's value, a log line, or an object other than bundles and the state.

locals {
  # Why each: a plan asks Google what has become of every resource in the state, who may use it, and what the project is.
  review_roles = var.delivery == null ? [] : concat(
    [
      "roles/artifactregistry.reader",
      "roles/browser", # the project's number
      "roles/cloudbuild.builds.viewer",
      "roles/cloudfunctions.viewer",
      "roles/cloudscheduler.viewer",
      "roles/cloudtasks.viewer",
      "roles/iam.securityReviewer", # every IAM policy
      "roles/iam.serviceAccountViewer",
      "roles/logging.logWriter", # the build's own log
      "roles/monitoring.viewer",
      "roles/pubsub.viewer",
      "roles/run.viewer",
      "roles/secretmanager.viewer",              # names and versions; to read a value is roles/secretmanager.secretAccessor
      "roles/serviceusage.serviceUsageConsumer", # the provider's calls count as the project's
      "roles/storage.bucketViewer",
    ],
    var.fixed_egress_ip ? ["roles/compute.networkViewer"] : [],
    local.github == null ? [] : ["roles/iam.workloadIdentityPoolViewer"],
  )
  # What a plan reads object by object, and what it is handed.
  review_buckets = var.delivery == null ? {} : {
    bundles = google_storage_bucket.bundles.name
    state   = var.delivery.state_bucket
  }
}

resource "google_service_account" "review" {
  count = var.delivery == null ? 0 : 1

  account_id   = "${var.prefix}-review"
  display_name = "Piecework pull requests are planned"

  depends_on = [time_sleep.services]
}

# A plan reads the resources.
resource "google_project_iam_member" "review" {
  for_each = toset(local.review_roles)

  project = var.project
  role    = each.key
  member  = google_service_account.review[0].member
}

# The metrics made from logs; roles/logging.viewer would show the log as well, and with it what callers sent.
resource "google_project_iam_custom_role" "review_metrics" {
  count = var.delivery == null ? 0 : 1

  role_id     = "${replace(title(var.prefix), "-", "")}ReviewsMetrics"
  title       = "Piecework: read metrics made from logs"
  permissions = ["logging.logMetrics.get", "logging.logMetrics.list"]

  depends_on = [time_sleep.services]
}

# A plan reads the metrics that are made from logs.
resource "google_project_iam_member" "review_metrics" {
  count = var.delivery == null ? 0 : 1

  project = var.project
  role    = google_project_iam_custom_role.review_metrics[0].name
  member  = google_service_account.review[0].member
}

# A plan reads the state, which holds no secret, and looks the bundles' objects up.
resource "google_storage_bucket_iam_member" "review" {
  for_each = local.review_buckets

  bucket = each.value
  role   = "roles/storage.objectViewer"
  member = google_service_account.review[0].member
}

# A plan is handed what is not in git about the deployment: NAME.local.tfvars, made by hand as docs/deploy.md says.
resource "google_secret_manager_secret_iam_member" "review" {
  count = var.delivery == null ? 0 : 1

  secret_id = "${var.prefix}-deployment"
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.review[0].member
}

# A plan reads the budget and who may change it, which belong to the billing account.
resource "google_billing_account_iam_member" "review" {
  count = var.delivery != null && var.monthly_budget > 0 ? 1 : 0

  billing_account_id = var.billing_account
  role               = "roles/billing.viewer"
  member             = google_service_account.review[0].member
}
