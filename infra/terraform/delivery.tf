# Delivery, where asked for: the account that ships a push, the account that plans a pull request, and the triggers.

locals {
  # What the pipeline does, it does as this account: tests, bundles, and this very Terraform.
  delivery_roles = var.delivery == null ? [] : concat(var.fixed_egress_ip ? ["roles/compute.networkAdmin"] : [], [
    "roles/artifactregistry.admin",
    "roles/cloudbuild.builds.editor",
    "roles/cloudfunctions.admin",
    "roles/cloudscheduler.admin",
    "roles/cloudtasks.admin",
    "roles/iam.roleAdmin",
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
  ], local.github == null ? [] : ["roles/iam.workloadIdentityPoolAdmin"])
  triggers = try(var.delivery.repository, null) == null ? {} : {
    ship = {
      about       = "Ship what was pushed"
      filename    = "cloudbuild.yaml"
      account     = google_service_account.deploy[0].id
      to_approve  = var.delivery.require_approval
      pushed_to   = [var.delivery.branch]
      proposed_to = []
    }
    plan = {
      about       = "Plan a pull request"
      filename    = "cloudbuild.review.yaml"
      account     = google_service_account.review[0].id
      to_approve  = false
      pushed_to   = []
      proposed_to = [var.delivery.pull_request]
    }
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
  filename        = each.value.filename
  service_account = each.value.account
  substitutions = {
    _ENVIRONMENT  = var.delivery.environment
    _PREFIX       = var.prefix
    _STATE_BUCKET = var.delivery.state_bucket
  }

  approval_config {
    approval_required = each.value.to_approve
  }

  repository_event_config {
    repository = var.delivery.repository

    dynamic "push" {
      for_each = each.value.pushed_to

      content {
        branch = push.value
      }
    }

    dynamic "pull_request" {
      for_each = each.value.proposed_to

      content {
        branch          = pull_request.value
        comment_control = "COMMENTS_ENABLED_FOR_EXTERNAL_CONTRIBUTORS_ONLY"
      }
    }
  }
}
