# What a person needs next.

output "api_url" {
  description = "Where the API is: PIECEWORK_URL of the command."
  value       = try(coalesce(var.load_balancer_url, local.urls.api), null)
}

output "api_audience" {
  description = "Audience of the token that Google asks for before a private API; empty: the API is public, and needs none."
  value       = var.public_api ? "" : lookup(local.urls, "api", "")
}

output "first_key" {
  description = "How to make the first API key."
  value       = "SUPABASE_URL=${var.supabase_url} SUPABASE_SECRET_KEY=... bin/piecework keys make NAME"
}

output "dashboard" {
  description = "Where to watch."
  value       = "https://console.cloud.google.com/monitoring/dashboards/builder/${reverse(split("/", google_monitoring_dashboard.piecework.id))[0]}?project=${var.project}"
}

output "function_urls" {
  description = "URL of each function."
  value       = local.urls
}

output "queues" {
  description = "Queue of each quota, to pause and resume: gcloud tasks queues pause NAME --location REGION."
  value       = { for quota, queue in google_cloud_tasks_queue.queue : quota => queue.name }
}

output "secrets" {
  description = "Secret of each setting, with the version the functions read."
  value       = { for name, version in google_secret_manager_secret_version.version : name => "${google_secret_manager_secret.secret[name].secret_id} version ${version.version}" }
}

output "bundles" {
  description = "Object that each function was built from."
  value       = { for name, bundle in google_storage_bucket_object.bundle : name => "gs://${bundle.bucket}/${bundle.name}" }
}

output "dead_letters" {
  description = "Subscription where messages wait that could not be delivered."
  value       = { for topic, subscription in google_pubsub_subscription.dead : topic => subscription.name }
}

output "egress_ip" {
  description = "Address the functions call the outside from; null: any of Google's."
  value       = one(google_compute_address.egress[*].address)
}

output "delivery_account" {
  description = "Account that ships what was pushed; null: no pipeline."
  value       = one(google_service_account.deploy[*].email)
}

output "review_account" {
  description = "Account that plans pull requests, and can only read; null: no pipeline."
  value       = one(google_service_account.review[*].email)
}

output "github_provider" {
  description = "What GitHub Actions names when it asks Google for credentials; null: no GitHub."
  value       = one(google_iam_workload_identity_pool_provider.github[*].name)
}
