# What differs between deployments. Limits and what a function needs are not here but in functions/*.yaml.

# Where

variable "project" {
  description = "Google Cloud project to deploy into."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "project must be a project id, such as news-prod-1 (not its name or number)."
  }
}

variable "region" {
  description = "Region of everything: functions, queues, schedules, images."
  type        = string
  default     = "us-central1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be a region, such as us-central1 (not a zone)."
  }
}

variable "prefix" {
  description = "Begins every name, so that several deployments fit into one project. Changing it makes all anew."
  type        = string
  default     = "piecework"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,16}[a-z0-9]$", var.prefix))
    error_message = "prefix must have 3 to 18 small letters, digits and hyphens, and begin with a letter."
  }
}

variable "labels" {
  description = "Labels on everything that takes some, for the bill; app and deployment are added."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.labels : can(regex("^[a-z][a-z0-9_-]{0,62}$", key)) && can(regex("^[a-z0-9_-]{0,63}$", value))])
    error_message = "labels must be small letters, digits, _ and -, and a key begins with a letter."
  }
}

variable "source_root" {
  description = "Folder that has functions/ and build/, seen from this one: the repository."
  type        = string
  default     = "../.."
}

# What

variable "leave_out" {
  description = "Functions not to deploy, such as [\"catalog\"]; then their secrets are not needed either."
  type        = set(string)
  default     = []
}

variable "runtime" {
  description = "Runtime of the functions."
  type        = string
  default     = "python313"

  validation {
    condition     = can(regex("^python3(1[1-9])$", var.runtime))
    error_message = "runtime must be python311 or newer."
  }
}

variable "supabase_url" {
  description = "URL of the Supabase project, https://REF.supabase.co."
  type        = string

  validation {
    condition     = can(regex("^https://[^/ ]+$", var.supabase_url))
    error_message = "supabase_url must be an https:// address without a path."
  }
}

variable "settings" {
  description = "Further settings, {function = {NAME = value}}; under \"*\" those of every function. Never secrets: those go into secret_values."
  type        = map(map(string))
  default     = {}

  validation {
    condition     = alltrue(flatten([for function, settings in var.settings : [for name, value in settings : can(regex("^[A-Z][A-Z0-9_]*$", name))]]))
    error_message = "settings must be named as environment variables are: GEMINI_MODEL."
  }

  # It lets functions call addresses that are not public: on a machine of one's own, for the samples.
  validation {
    condition     = !contains(flatten([for settings in values(var.settings) : keys(settings)]), "SAMPLE_SITE")
    error_message = "settings: SAMPLE_SITE is for the local stack only."
  }
}

variable "more_secrets" {
  description = "Settings of single functions that are secret here, {function = [NAME]}, beside those of their manifests: {api = [\"REDIS_URL\"]}."
  type        = map(set(string))
  default     = {}

  validation {
    condition     = alltrue([for name in flatten([for names in values(var.more_secrets) : tolist(names)]) : can(regex("^[A-Z][A-Z0-9_]*$", name))])
    error_message = "more_secrets must be named as environment variables are: REDIS_URL."
  }
}

variable "secret_values" {
  description = "Values of the secrets to write, {NAME = value}; needed when a secret is new or its number in secret_versions was counted up. Not kept in the state."
  type        = map(string)
  default     = {}
  sensitive   = true
  ephemeral   = true

  validation {
    condition     = alltrue([for value in values(var.secret_values) : length(value) > 0])
    error_message = "secret_values: a secret cannot be empty; leave it out to leave it as it is."
  }
}

variable "secret_versions" {
  description = "Count a secret's number up to write its new value, {NAME = 2}; each begins at 1."
  type        = map(number)
  default     = {}
}

variable "protect_data" {
  description = "Refuse to destroy what cannot be had again: secrets, and bundles of earlier versions. Nothing else is protected."
  type        = bool
  default     = true
}

# Who may call

variable "public_api" {
  description = "Let everybody reach the API, which asks for a key of its own. false: only api_callers."
  type        = bool
  default     = true
}

variable "api_callers" {
  description = "Who may reach the API when it is not public, as IAM members: group:..., serviceAccount:... The pipeline may, too."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for member in var.api_callers : can(regex("^(user|group|serviceAccount|domain|principal|principalSet):.+", member))])
    error_message = "api_callers must be IAM members such as group:NAME@DOMAIN; for everybody set public_api."
  }
}

variable "load_balancer_url" {
  description = "Address of a load balancer of yours before the API, https://api.example.com. The API is then reached through it alone, and believes two hops of X-Forwarded-For. null: reached directly."
  type        = string
  default     = null

  validation {
    condition     = var.load_balancer_url == null || can(regex("^https://[^/ ]+$", var.load_balancer_url))
    error_message = "load_balancer_url must be an https:// address without a path."
  }
}

# When

variable "schedules" {
  description = "Run the schedules. false: they exist, paused."
  type        = bool
  default     = true
}

variable "time_zone" {
  description = "Time zone the schedules are meant in."
  type        = string
  default     = "Etc/UTC"
}

# Network

variable "fixed_egress_ip" {
  description = "Let the functions call the outside from one fixed address, for upstreams that ask for it. Makes a network with NAT, which can be deleted two hours after its last function only."
  type        = bool
  default     = false
}

variable "vpc" {
  description = "A network of yours that the functions send all traffic into. null: straight out."
  type = object({
    network    = string
    subnetwork = string
    tags       = optional(list(string), [])
  })
  default = null

  validation {
    condition     = var.vpc == null || !var.fixed_egress_ip
    error_message = "vpc and fixed_egress_ip exclude each other: a network of yours has a NAT of yours."
  }
}

# Watching

variable "alert_emails" {
  description = "Addresses that alerts are sent to."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "alert_emails must be e-mail addresses."
  }
}

variable "notification_channels" {
  description = "Notification channels that exist already (chat, pager), as projects/P/notificationChannels/ID."
  type        = set(string)
  default     = []
}

variable "alerts" {
  description = "When to alert; docs/operate.md says what each means and what to do."
  type = object({
    enabled               = optional(bool, true)
    least_items           = optional(number, 20)   # in the window; fewer say nothing about a share
    success_rate          = optional(number, 0.90) # done or skipped, of the items that ended in 15 min: below
    error_rate            = optional(number, 0.10) # failed, of the attempts in 15 min: above
    item_seconds_p95      = optional(number, 60)   # above
    queue_seconds         = optional(number, 1800) # age of the oldest task: above
    dead_letters          = optional(number, 10)   # dead items in an hour, and undeliverable messages: above
    retry_share           = optional(number, 0.50) # of the attempts in 15 min: above
    vision_error_rate     = optional(number, 0.20) # failed, of the attempts on a vision quota: above
    spike_factor          = optional(number, 3)    # the last hour against the mean hour of 7 days: above
    spike_least_usd       = optional(number, 1)    # in an hour; less is no spike
    spike_least_tokens    = optional(number, 1e6)  # in an hour; fewer are no spike
    api_milliseconds_p95  = optional(number, 1000) # above
    instances_for_seconds = optional(number, 900)  # as many instances as allowed: for so long
  })
  default = {}

  validation {
    condition = alltrue([
      for share in [var.alerts.success_rate, var.alerts.error_rate, var.alerts.retry_share, var.alerts.vision_error_rate] : share > 0 && share < 1
    ])
    error_message = "alerts: rates and shares are between 0 and 1 (0.9, not 90)."
  }
}

variable "monthly_budget" {
  description = "Whole units of the billing account's currency a month; alerts at 50, 90 and 100 %. 0: no budget."
  type        = number
  default     = 0

  validation {
    condition     = var.monthly_budget >= 0 && floor(var.monthly_budget) == var.monthly_budget
    error_message = "monthly_budget must be a whole number of at least 0."
  }

  validation {
    condition     = var.monthly_budget == 0 || length(var.alert_emails) + length(var.notification_channels) <= 5
    error_message = "monthly_budget: a budget tells at most 5 channels, and alert_emails and notification_channels are more. One address may be a group's."
  }
}

variable "billing_account" {
  description = "Billing account of the budget, XXXXXX-XXXXXX-XXXXXX."
  type        = string
  default     = null

  validation {
    condition     = var.monthly_budget == 0 || can(regex("^[0-9A-F]{6}(-[0-9A-F]{6}){2}$", var.billing_account))
    error_message = "monthly_budget needs billing_account, XXXXXX-XXXXXX-XXXXXX."
  }
}

# Delivery

variable "delivery" {
  description = "Let a pipeline ship what is pushed: Cloud Build (repository), GitHub Actions (github), or both. null: none. repository: projects/P/locations/L/connections/C/repositories/R."
  type = object({
    state_bucket     = string
    environment      = string
    repository       = optional(string)
    branch           = optional(string, "^main$")
    pull_request     = optional(string, "^main$") # plan only, for requests onto this branch
    require_approval = optional(bool, false)      # Cloud Build waits for somebody to approve before it ships
    github = optional(object({
      repository = string                   # OWNER/NAME
      branch     = optional(string, "main") # a name, no pattern
    }))
  })
  default = null

  validation {
    condition     = try(var.delivery.repository, null) == null || can(regex("^projects/[^/]+/locations/[^/]+/connections/[^/]+/repositories/[^/]+$", var.delivery.repository))
    error_message = "delivery.repository must be projects/P/locations/L/connections/C/repositories/R."
  }

  validation {
    condition     = try(var.delivery.github, null) == null || can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.delivery.github.repository))
    error_message = "delivery.github.repository must be OWNER/NAME."
  }

  # It stands in the condition that Google's token exchange evaluates.
  validation {
    condition     = try(var.delivery.github, null) == null || can(regex("^[A-Za-z0-9._/-]+$", var.delivery.github.branch)) && can(regex("^[A-Za-z0-9._-]+$", var.delivery.environment))
    error_message = "delivery.github.branch and delivery.environment must be plain names, such as main and prod."
  }

  validation {
    condition     = var.delivery == null || try(var.delivery.repository, null) != null || try(var.delivery.github, null) != null
    error_message = "delivery needs repository (Cloud Build), github (GitHub Actions), or both."
  }
}
