# Functions: each from its bundle, under its own account, called by nobody but the callers its manifest names.

locals {
  # Known before the service exists, so that functions can know each other.
  urls = { for name, service in local.services : name => "https://${service}-${data.google_project.project.number}.${var.region}.run.app" }

  # An item function puts tasks for itself only. So one function more does not deploy all others anew.
  known_urls = { for name, function in local.functions : name => function.kind == "item" ? { (name) = local.urls[name] } : local.urls }

  # Two hops are trusted in X-Forwarded-For only where nobody can leave the load balancer out, and write the first one himself.
  public_ingress = var.load_balancer_url == null ? "ALLOW_ALL" : "ALLOW_INTERNAL_AND_GCLB"

  environment = {
    for name, function in local.functions : name => merge(
      {
        FUNCTION_USE_ASGI      = "True"
        LOG_EXECUTION_ID       = "false" # the framework would rewrite every line of the log
        PROJECT_ID             = var.project
        LOCATION               = var.region
        SUPABASE_URL           = var.supabase_url
        QUEUE_PREFIX           = "${var.prefix}-"
        FANOUT_TOPIC           = "${var.prefix}-fanout"
        FUNCTION_URLS          = jsonencode(local.known_urls[name])
        TASKS_SERVICE_ACCOUNT  = google_service_account.tasks.email
        PUBSUB_SERVICE_ACCOUNT = google_service_account.pubsub.email
      },
      # Cloud Run has checked the caller's token and taken its signature away. Before a public function nobody checks.
      contains(function.callers, "public") ? {} : { PLATFORM_CHECKS_CALLERS = "true" },
      contains(function.callers, "public") && var.load_balancer_url != null ? { TRUSTED_HOPS = "2" } : {},
      local.plain[name],
    )
  }
}

resource "google_storage_bucket" "bundles" {
  name                        = "${var.project}-${var.prefix}-bundles"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.protect_data

  versioning {
    enabled = true
  }

  # Bundles of earlier versions, to roll back to without a build.
  lifecycle_rule {
    condition {
      days_since_noncurrent_time = 90
    }
    action {
      type = "Delete"
    }
  }

  depends_on = [time_sleep.services]
}

# The name carries the content's hash: same content, same name, nothing is deployed.
resource "google_storage_bucket_object" "bundle" {
  for_each = local.functions

  bucket       = google_storage_bucket.bundles.name
  name         = "${each.key}-${try(filesha256("${local.bundles}/${each.key}.zip"), "missing")}.zip"
  source       = "${local.bundles}/${each.key}.zip"
  content_type = "application/zip"

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_cloudfunctions2_function" "function" {
  for_each = local.functions

  name        = local.services[each.key]
  location    = var.region
  description = "Piecework: functions/${each.key}"
  labels      = { function = each.key }

  build_config {
    runtime           = var.runtime
    entry_point       = "handle"
    service_account   = google_service_account.build.id
    docker_repository = google_artifact_registry_repository.images.id

    # The build compiles the function's own modules, and the image then gives their files another time. With this set,
    # bytecode goes by the source's hash instead of its time, so that a cold start need not compile them again.
    environment_variables = { SOURCE_DATE_EPOCH = "315532801" }

    source {
      storage_source {
        bucket = google_storage_bucket.bundles.name
        object = google_storage_bucket_object.bundle[each.key].name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.function[each.key].email
    ingress_settings                 = contains(each.value.callers, "public") ? local.public_ingress : "ALLOW_INTERNAL_ONLY"
    timeout_seconds                  = each.value.timeout_seconds
    available_cpu                    = tostring(each.value.cpu)
    available_memory                 = each.value.memory
    max_instance_request_concurrency = each.value.concurrency
    min_instance_count               = each.value.min_instances
    max_instance_count               = each.value.max_instances
    environment_variables            = local.environment[each.key]

    dynamic "secret_environment_variables" {
      for_each = each.value.secrets

      content {
        key        = secret_environment_variables.key
        project_id = var.project
        secret     = google_secret_manager_secret.secret[secret_environment_variables.key].secret_id
        version    = google_secret_manager_secret_version.version[secret_environment_variables.key].version
      }
    }

    direct_vpc_egress = local.network == null ? null : "VPC_EGRESS_ALL_TRAFFIC"

    dynamic "direct_vpc_network_interface" {
      for_each = local.network == null ? [] : [local.network]

      content {
        network    = direct_vpc_network_interface.value.network
        subnetwork = direct_vpc_network_interface.value.subnetwork
        tags       = direct_vpc_network_interface.value.tags
      }
    }
  }

  depends_on = [terraform_data.manifests, time_sleep.grants]
}

# Who may call what. On the Cloud Run service below the function, and the whole list: what is added by hand goes again.
resource "google_cloud_run_v2_service_iam_binding" "invokers" {
  for_each = local.invokers

  name     = google_cloudfunctions2_function.function[each.key].name
  location = var.region
  role     = "roles/run.invoker"
  members  = each.value
}
