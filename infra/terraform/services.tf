# Google's services that the deployment uses. They stay enabled after destroy: others in the project may use them.

locals {
  services_used = toset(concat(
    [
      "artifactregistry.googleapis.com",
      "cloudbuild.googleapis.com",
      "cloudfunctions.googleapis.com",
      "cloudresourcemanager.googleapis.com",
      "cloudscheduler.googleapis.com",
      "cloudtasks.googleapis.com",
      "iam.googleapis.com",
      "logging.googleapis.com",
      "monitoring.googleapis.com",
      "pubsub.googleapis.com",
      "run.googleapis.com",
      "secretmanager.googleapis.com",
      "storage.googleapis.com",
    ],
    var.fixed_egress_ip || var.vpc != null ? ["compute.googleapis.com"] : [],
    var.monthly_budget > 0 ? ["billingbudgets.googleapis.com", "cloudbilling.googleapis.com"] : [],
    var.delivery != null ? ["iamcredentials.googleapis.com"] : [],
    local.github == null ? [] : ["sts.googleapis.com"],
  ))
}

data "google_project" "project" {
  project_id = var.project
}

resource "google_project_service" "service" {
  for_each = local.services_used

  service            = each.key
  disable_on_destroy = false
}

# Google makes a service's agent when it is first needed, and refuses a grant to an agent that does not exist. Pub/Sub's is the
# only one that is granted something here (pubsub.tf).
resource "google_project_service_identity" "pubsub" {
  provider = google-beta

  service = google_project_service.service["pubsub.googleapis.com"].service
}

# A service answers some time after it was enabled, and its agent can be named in a grant some time after it was made.
resource "time_sleep" "services" {
  create_duration = "60s"
  triggers = {
    services = join(",", [for service in google_project_service.service : service.service])
    agents   = google_project_service_identity.pubsub.id
  }
}
