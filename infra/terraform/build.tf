# Building: who builds the functions and where their images go; and, where asked for, the triggers that ship a push.

resource "google_artifact_registry_repository" "images" {
  repository_id = "${var.prefix}-functions"
  location      = var.region
  format        = "DOCKER"
  description   = "Images of the functions, as the builds make them"

  # Each deploy leaves one behind. The newest are those of running functions, and of those to roll back to.
  cleanup_policies {
    id     = "keep-newest"
    action = "KEEP"

    most_recent_versions {
      keep_count = 3
    }
  }

  cleanup_policies {
    id     = "delete-old"
    action = "DELETE"

    condition {
      older_than = "604800s" # 7 days
    }
  }

  depends_on = [time_sleep.services]
}

resource "google_service_account" "build" {
  account_id   = "${var.prefix}-build"
  display_name = "Piecework functions are built"

  depends_on = [time_sleep.services]
}

# A build writes its log.
resource "google_project_iam_member" "build_logs" {
  project = var.project
  role    = "roles/logging.logWriter"
  member  = google_service_account.build.member
}

# A build reads its source: the bundle ...
resource "google_storage_bucket_iam_member" "build_reads" {
  bucket = google_storage_bucket.bundles.name
  role   = "roles/storage.objectViewer"
  member = google_service_account.build.member
}

# ... and the copy that Cloud Functions makes of it. No other bucket.
resource "google_project_iam_member" "build_reads_copies" {
  project = var.project
  role    = "roles/storage.objectViewer"
  member  = google_service_account.build.member

  condition {
    title      = "${var.prefix} sources"
    expression = "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-${data.google_project.project.number}-\")"
  }
}

# A build writes the function's image.
resource "google_artifact_registry_repository_iam_member" "build_writes" {
  repository = google_artifact_registry_repository.images.name
  location   = var.region
  role       = "roles/artifactregistry.writer"
  member     = google_service_account.build.member
}

locals {
  # What cloudbuild.yaml does, it does as this account: tests, bundles, and this very Terraform.
  delivery_roles = var.delivery == null ? [] : concat(var.fixed_egress_ip ? ["roles/compute.networkAdmin"] : [], [
    "roles/artifactregistry.admin",
    "roles/cloudbuild.builds.editor",
    "roles/cloudfunctions.admin",
    "roles/cloudscheduler.admin",
    "roles/cloudtasks.admin",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.serviceAccountUser",
    "roles/logging.configWriter",
    "roles/logging.logWriter",
    "roles/monitoring.admin",
    "roles/pubsub.admin",
    "roles/resourcemanager.projectIamAdmin",
    "roles/run.admin",
    "roles/secretmanager.admin",
    "roles/serviceusage.serviceUsageAdmin",
    "roles/storage.admin",
  ])
  triggers = var.delivery == null ? {} : {
    ship = { about = "Ship what was pushed", plan_only = "false" }
    plan = { about = "Plan a pull request", plan_only = "true" }
  }
}

resource "google_service_account" "deploy" {
  count = var.delivery == null ? 0 : 1

  account_id   = "${var.prefix}-deploy"
  display_name = "Piecework is shipped"

  depends_on = [time_sleep.services]
}

# The pipeline makes whatever this Terraform makes, grants included: who may push to the branch, owns the project.
resource "google_project_iam_member" "deploy" {
  for_each = toset(local.delivery_roles)

  project = var.project
  role    = each.key
  member  = google_service_account.deploy[0].member
}

# The budget belongs to the billing account: no role on the project reaches it.
resource "google_billing_account_iam_member" "deploy" {
  count = var.delivery != null && var.monthly_budget > 0 ? 1 : 0

  billing_account_id = var.billing_account
  role               = "roles/billing.costsManager"
  member             = google_service_account.deploy[0].member
}

# For the smoke test: a private API takes Google's token of this account, which makes it itself.
resource "google_service_account_iam_member" "deploy_token" {
  count = var.delivery == null || var.public_api ? 0 : 1

  service_account_id = google_service_account.deploy[0].name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = google_service_account.deploy[0].member
}

resource "google_cloudbuild_trigger" "delivery" {
  for_each = local.triggers

  name            = "${var.prefix}-${each.key}"
  location        = var.region
  description     = each.value.about
  filename        = "cloudbuild.yaml"
  service_account = google_service_account.deploy[0].id
  substitutions = {
    _ENVIRONMENT  = var.delivery.environment
    _PREFIX       = var.prefix
    _STATE_BUCKET = var.delivery.state_bucket
    _PLAN_ONLY    = each.value.plan_only
  }

  repository_event_config {
    repository = var.delivery.repository

    dynamic "push" {
      for_each = each.key == "ship" ? [var.delivery.branch] : []

      content {
        branch = push.value
      }
    }

    dynamic "pull_request" {
      for_each = each.key == "plan" ? [var.delivery.pull_request] : []

      content {
        branch          = pull_request.value
        comment_control = "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"
      }
    }
  }
}
