# Who may do what. One account per function; inventory.yaml lists every grant, and a test compares.

resource "google_service_account" "function" {
  for_each = local.functions

  account_id   = local.services[each.key]
  display_name = "Piecework function ${each.key}"

  depends_on = [time_sleep.services]
}

# Whose token Cloud Tasks sends with a task.
resource "google_service_account" "tasks" {
  account_id   = "${var.prefix}-tasks"
  display_name = "Piecework tasks call functions"

  depends_on = [time_sleep.services]
}

# Whose token Pub/Sub pushes with.
resource "google_service_account" "pubsub" {
  account_id   = "${var.prefix}-pubsub"
  display_name = "Piecework messages call functions"

  depends_on = [time_sleep.services]
}

locals {
  callers_of = {
    for name, function in local.functions : name => toset(flatten([
      contains(function.callers, "tasks") ? [google_service_account.tasks.member] : [],
      contains(function.callers, "pubsub") ? [google_service_account.pubsub.member] : [],
      contains(function.callers, "public") ? (var.public_api ? ["allUsers"] : concat(tolist(var.api_callers), google_service_account.deploy[*].member)) : [],
    ]))
  }
  # By what the manifests and variables say, so that it is known before any account is.
  invokers = {
    for name, function in local.functions : name => local.callers_of[name]
    if length(setsubtract(function.callers, ["public"])) > 0 || contains(function.callers, "public") && (var.public_api || length(var.api_callers) > 0 || var.delivery != null)
  }

  # An item function goes back into its own queue; the fan-out fills them all.
  enqueues = merge(
    { for name, function in local.functions : name => [function.quota] if function.kind == "item" },
    { for name in ["fanout"] : name => keys(local.quotas) if contains(keys(local.given), name) },
  )
  enqueuers = merge([
    for name, quotas in local.enqueues : { for quota in quotas : "${name}:${quota}" => { function = name, quota = quota } if contains(keys(local.quotas), quota) }
  ]...)
  # The sweep asks whether a queue is empty, the API whether it runs.
  viewers = merge([
    for name in ["api", "fanout"] : { for quota in keys(local.quotas) : "${name}:${quota}" => { function = name, quota = quota } } if contains(keys(local.given), name)
  ]...)
  # The API orders a fan-out; the fan-out goes on where it stopped.
  publishers = toset([for name in ["api", "fanout"] : name if contains(keys(local.given), name)])

  readers = merge([
    for name, function in local.functions : { for secret in function.secrets : "${name}:${secret}" => { function = name, secret = secret } }
  ]...)
}

# Put tasks into a queue.
resource "google_cloud_tasks_queue_iam_member" "enqueue" {
  for_each = local.enqueuers

  name     = google_cloud_tasks_queue.queue[each.value.quota].name
  location = var.region
  role     = "roles/cloudtasks.enqueuer"
  member   = google_service_account.function[each.value.function].member
}

# Look at a queue and list its tasks.
resource "google_cloud_tasks_queue_iam_member" "view" {
  for_each = local.viewers

  name     = google_cloud_tasks_queue.queue[each.value.quota].name
  location = var.region
  role     = "roles/cloudtasks.viewer"
  member   = google_service_account.function[each.value.function].member
}

# Whoever puts a task lends it the account of the tasks.
resource "google_service_account_iam_member" "lend_tasks" {
  for_each = local.enqueues

  service_account_id = google_service_account.tasks.name
  role               = "roles/iam.serviceAccountUser"
  member             = google_service_account.function[each.key].member
}

# Send messages to the fan-out.
resource "google_pubsub_topic_iam_member" "publish" {
  for_each = local.publishers

  topic  = google_pubsub_topic.topic["fanout"].name
  role   = "roles/pubsub.publisher"
  member = google_service_account.function[each.key].member
}

# Read a secret; each function its own ones.
resource "google_secret_manager_secret_iam_member" "read" {
  for_each = local.readers

  secret_id = google_secret_manager_secret.secret[each.value.secret].secret_id
  role      = "roles/secretmanager.secretAccessor"
  member    = google_service_account.function[each.value.function].member
}

# A grant holds some time after it was given: a function must not start, nor be built, before.
resource "time_sleep" "grants" {
  create_duration = "60s"
  triggers = {
    secrets = join(",", [for grant in google_secret_manager_secret_iam_member.read : grant.id])
    build = join(",", [
      google_project_iam_member.build_logs.id,
      google_storage_bucket_iam_member.build_reads.id,
      google_project_iam_member.build_reads_copies.id,
      google_artifact_registry_repository_iam_member.build_writes.id,
    ])
  }
}
