# GitHub Actions: what it may do here, without a key that could leak. GitHub says in a signed token which repository, branch and
# environment a job runs for, and Google lends it one of two accounts for an hour.

locals {
  github = try(var.delivery.github, null)
  # Whom a job may act as. It ships from the branch, in the GitHub environment of this name, whose rules may ask for an approval.
  github_may = local.github == null ? "" : join(" ", [
    "assertion.event_name == 'pull_request' ? 'review' :",
    "assertion.ref == 'refs/heads/${local.github.branch}' && assertion.environment == '${var.delivery.environment}' ? 'ship' :",
    "'nothing'",
  ])
  github_accounts = local.github == null ? {} : {
    ship   = google_service_account.deploy[0].name
    review = google_service_account.review[0].name
  }
}

# Who comes from GitHub.
resource "google_iam_workload_identity_pool" "github" {
  count = local.github == null ? 0 : 1

  workload_identity_pool_id = "${var.prefix}-github"
  display_name              = "${var.prefix} on GitHub"

  depends_on = [time_sleep.services]
}

# How Google reads the tokens that GitHub signs.
resource "google_iam_workload_identity_pool_provider" "github" {
  count = local.github == null ? 0 : 1

  workload_identity_pool_id          = google_iam_workload_identity_pool.github[0].workload_identity_pool_id
  workload_identity_pool_provider_id = "actions"
  display_name                       = "GitHub Actions"
  # Everybody on GitHub gets such tokens: without this line they would all be let in.
  attribute_condition = "assertion.repository == '${local.github.repository}'"
  attribute_mapping = {
    "google.subject" = "assertion.sub"
    "attribute.may"  = local.github_may
  }

  oidc {
    issuer_uri = "https://token.actions.githubusercontent.com"
  }
}

# A job acts as the account that fits what it runs for, and as no other.
resource "google_service_account_iam_member" "github" {
  for_each = local.github_accounts

  service_account_id = each.value
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://iam.googleapis.com/${google_iam_workload_identity_pool.github[0].name}/attribute.may/${each.key}"
}
