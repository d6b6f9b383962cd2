# Building: who builds the functions, and where their images go.

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
