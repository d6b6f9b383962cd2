# What to deploy: functions/NAME/function.yaml over functions/defaults.yaml, and functions/quotas.yaml.
# A folder more is a function more, a quota more is a queue more.

locals {
  folder   = "${path.module}/${var.source_root}/functions"
  bundles  = "${path.module}/${var.source_root}/build"
  defaults = yamldecode(file("${local.folder}/defaults.yaml"))
  # A key without a value is as good as none.
  quotas = {
    for name, quota in yamldecode(file("${local.folder}/quotas.yaml")) : name => { for key, value in quota : key => value if value != null }
  }
  given = {
    for manifest in fileset(local.folder, "*/function.yaml") : dirname(manifest) => yamldecode(file("${local.folder}/${manifest}"))
    if !contains(var.leave_out, dirname(manifest))
  }
  merged = { for name, given in local.given : name => merge(local.defaults, given) }
  functions = {
    for name, function in local.merged : name => merge(function, { secrets = setunion(function.secrets, lookup(var.more_secrets, name, [])) })
  }

  # Settings in plain words, of the manifest and of this deployment.
  plain = {
    for name, function in local.functions : name => merge(function.environment, lookup(var.settings, "*", {}), lookup(var.settings, name, {}))
  }

  # What a function is called in the cloud: function, service, account and URL have this name.
  services = { for name, function in local.functions : name => "${var.prefix}-${replace(name, "_", "-")}" }
  labels   = merge(var.labels, { app = "piecework", deployment = var.prefix })

  quota_keys    = ["requests_per_minute", "tokens_per_minute", "dispatches_per_minute", "max_concurrent"]
  kinds         = ["item", "push", "http"]
  callers       = ["tasks", "pubsub", "public"]
  account_names = ["tasks", "pubsub", "build", "deploy", "review"]
  # Settings that decide whom a function believes: they follow from its callers and from load_balancer_url, in functions.tf.
  derived = ["PLATFORM_CHECKS_CALLERS", "TRUSTED_HOPS"]

  # The longest a caller waits: a task's dispatch deadline less 15 s, a push's acknowledgement, an HTTP request.
  longest_timeout = { item = 1785, push = 600, http = 3600 }

  # As infra/manifests.py says it, which `make check` asks.
  problems = concat(
    flatten([
      for name, given in local.given : [
        for key in keys(given) : "functions/${name}/function.yaml: unknown key '${key}'; functions/defaults.yaml lists the known ones"
        if !contains(keys(local.defaults), key)
      ]
    ]),
    flatten([
      for name, function in local.functions : [
        for problem in [
          { of = !contains(local.kinds, function.kind), is = "kind must be one of ${join(", ", local.kinds)}" },
          { of = function.kind == "item" && function.quota == null, is = "quota is missing: an item function needs one" },
          { of = function.kind == "push" && function.topic == null, is = "topic is missing: a push function needs one" },
          {
            of = function.quota == null ? false : !contains(keys(local.quotas), function.quota)
            is = "quota '${coalesce(function.quota, "-")}' is not in functions/quotas.yaml"
          },
          { of = try(function.concurrency > 1 && function.cpu < 1, true), is = "concurrency above 1 needs cpu: 1 or more (a rule of Cloud Run)" },
          {
            of = try(function.timeout_seconds > local.longest_timeout[function.kind], true)
            is = "timeout_seconds must be at most ${lookup(local.longest_timeout, function.kind, 0)} for kind ${function.kind}: nobody waits longer"
          },
          { of = try(function.work_seconds >= function.timeout_seconds, true), is = "work_seconds must leave time for keeping: make it smaller than timeout_seconds" },
          {
            of = function.model == null ? false : try(function.work_seconds < function.prepare_seconds + (function.prepares ? function.ready_patience_seconds : function.patience_seconds) + 10.5, true)
            is = "work_seconds must be at least prepare_seconds, the longest wait for a slot, and 10.5 s for the call"
          },
          {
            of = function.quota == null ? false : try(local.quotas[function.quota].max_concurrent > function.max_instances * function.concurrency, false)
            is = "max_instances x concurrency must be at least max_concurrent of its quota: else Cloud Run answers 429, and the queue slows down"
          },
          { of = try(function.cache == "all" && length(function.typed) == 0, false), is = "cache: all needs typed: the columns that come from the input" },
          {
            of = length(setsubtract(function.callers, local.callers)) > 0
            is = "callers: '${join("', '", setsubtract(function.callers, local.callers))}' is not one of ${join(", ", local.callers)}"
          },
          {
            of = length(setintersection(keys(local.plain[name]), local.secrets)) > 0
            is = "environment (or the variable settings) has a secret in plain: ${join(", ", setintersection(keys(local.plain[name]), local.secrets))}"
          },
          {
            of = length(setintersection(keys(local.plain[name]), local.derived)) > 0
            is = "environment (or the variable settings) has ${join(", ", setintersection(keys(local.plain[name]), local.derived))}: leave it out, it follows from callers and load_balancer_url"
          },
          { of = length(local.services[name]) > 30, is = "'${local.services[name]}' is longer than the 30 letters of a service account: a shorter folder or prefix" },
          { of = contains(local.account_names, name), is = "the name is taken by an account of the deployment" },
          { of = !fileexists("${local.bundles}/${name}.zip"), is = "build/${name}.zip is missing: run `make bundle`" },
        ] : "functions/${name}/function.yaml: ${problem.is}" if problem.of
      ]
    ]),
    flatten([
      for name, quota in local.quotas : concat(
        [for key in keys(quota) : "functions/quotas.yaml: ${name}: unknown key '${key}'" if !contains(local.quota_keys, key)],
        can(quota.requests_per_minute > 0) ? [] : ["functions/quotas.yaml: ${name}: requests_per_minute is missing"],
        [for key in ["requests_per_minute", "dispatches_per_minute"] : "functions/quotas.yaml: ${name}: ${key} must be at most 30000: no queue is faster" if try(quota[key] > 30000, false)],
        try(quota.dispatches_per_minute < quota.requests_per_minute, false) ? ["functions/quotas.yaml: ${name}: dispatches_per_minute must be requests_per_minute or more: a call needs a dispatch"] : [],
      )
    ]),
    [for name in keys(var.more_secrets) : "more_secrets: there is no function '${name}'" if !contains(keys(local.given), name)],
    [for name in keys(var.settings) : "settings: there is no function '${name}'" if name != "*" && !contains(keys(local.given), name)],
    [for name in keys(var.secret_versions) : "secret_versions: no function has a secret '${name}'" if !contains(local.secrets, name)],
    [for name in var.leave_out : "leave_out: there is no function '${name}'" if !fileexists("${local.folder}/${name}/function.yaml")],
  )
}

# Nothing is deployed from manifests that are wrong.
resource "terraform_data" "manifests" {
  lifecycle {
    precondition {
      condition     = length(local.problems) == 0
      error_message = join("\n", local.problems)
    }
  }
}
