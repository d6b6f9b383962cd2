# Pub/Sub: the topic of each push function, its push subscription, and where messages go that nobody could take.

locals {
  topics = { for name, function in local.functions : function.topic => name if function.kind == "push" && function.topic != null }
  # It makes the tokens of pushes and carries dead letters. services.tf makes it before anything is granted to it.
  pubsub_agent = "serviceAccount:service-${data.google_project.project.number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "topic" {
  for_each = local.topics

  name = "${var.prefix}-${each.key}"

  depends_on = [time_sleep.services]
}

resource "google_pubsub_topic" "dead" {
  for_each = local.topics

  name = "${var.prefix}-${each.key}-dead"

  depends_on = [time_sleep.services]
}

resource "google_pubsub_subscription" "push" {
  for_each = local.topics

  name                       = "${var.prefix}-${each.key}"
  topic                      = google_pubsub_topic.topic[each.key].id
  ack_deadline_seconds       = 600
  message_retention_duration = "604800s" # 7 days

  push_config {
    push_endpoint = local.urls[each.value]

    oidc_token {
      service_account_email = google_service_account.pubsub.email
      audience              = local.urls[each.value]
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.key].id
    max_delivery_attempts = 5
  }

  # Never, however long nothing comes.
  expiration_policy {
    ttl = ""
  }

  # Pushed to before the function can be called, a message would begin with failures.
  depends_on = [google_cloud_run_v2_service_iam_binding.invokers]
}

# Dead letters wait here for somebody to look.
resource "google_pubsub_subscription" "dead" {
  for_each = local.topics

  name                       = "${var.prefix}-${each.key}-dead"
  topic                      = google_pubsub_topic.dead[each.key].id
  message_retention_duration = "2678400s" # 31 days, the longest

  expiration_policy {
    ttl = ""
  }
}

# The agent signs pushes as the account of the messages.
resource "google_service_account_iam_member" "agent_signs" {
  service_account_id = google_service_account.pubsub.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = local.pubsub_agent

  depends_on = [time_sleep.services]
}

# The agent puts what it gave up into the dead letters ...
resource "google_pubsub_topic_iam_member" "agent_buries" {
  for_each = local.topics

  topic  = google_pubsub_topic.dead[each.key].name
  role   = "roles/pubsub.publisher"
  member = local.pubsub_agent

  depends_on = [time_sleep.services]
}

# ... and takes it out of the subscription.
resource "google_pubsub_subscription_iam_member" "agent_takes" {
  for_each = local.topics

  subscription = google_pubsub_subscription.push[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = local.pubsub_agent

  depends_on = [time_sleep.services]
}
