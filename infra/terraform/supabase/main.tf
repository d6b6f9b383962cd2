# A Supabase project, for who has none yet and wants it kept as code. Apart from the rest, with a state of its own:
# a deployment may be destroyed and made again, its data may not.
#
#   terraform init -backend-config=bucket=BUCKET -backend-config=prefix=piecework/supabase
#   SUPABASE_ACCESS_TOKEN=... TF_VAR_database_password=... terraform apply -var organization=SLUG

terraform {
  required_version = ">= 1.11"

  backend "gcs" {}

  required_providers {
    supabase = {
      source  = "supabase/supabase"
      version = "~> 1.5"
    }
  }
}

variable "organization" {
  description = "Slug of the Supabase organization."
  type        = string
}

variable "name" {
  description = "Name of the project."
  type        = string
  default     = "piecework"
}

variable "region" {
  description = "Region of the database, in Supabase's words; near the functions."
  type        = string
  default     = "us-east-1"
}

variable "database_password" {
  description = "Password of the database; migrations are applied with it. The state keeps it: guard the bucket."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.database_password) >= 16
    error_message = "database_password must have at least 16 characters."
  }
}

resource "supabase_project" "piecework" {
  organization_id   = var.organization
  name              = var.name
  region            = var.region
  database_password = var.database_password

  lifecycle {
    # The data are here. To destroy them, delete this line first.
    prevent_destroy = true
    # Changed in the dashboard, it must not be changed back.
    ignore_changes = [database_password]
  }
}

output "supabase_url" {
  description = "supabase_url of the deployment."
  value       = "https://${supabase_project.piecework.id}.supabase.co"
}

output "project_ref" {
  description = "Where migrations go: supabase link --project-ref REF."
  value       = supabase_project.piecework.id
}
