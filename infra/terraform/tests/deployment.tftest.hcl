# What matters of a deployment, against stand-ins for the cloud: `make bundle`, then `terraform test`.

mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }

  # As all functions' accounts; those that are told apart follow.
  mock_resource "google_service_account" {
    defaults = {
      email  = "function@test-project.iam.gserviceaccount.com"
      member = "serviceAccount:function@test-project.iam.gserviceaccount.com"
    }
  }
}

mock_provider "google-beta" {}

mock_provider "time" {}

override_resource {
  target = google_service_account.tasks
  values = {
    email  = "tasks@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:tasks@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.pubsub
  values = {
    email  = "pubsub@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:pubsub@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.deploy
  values = {
    email  = "deploy@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:deploy@test-project.iam.gserviceaccount.com"
  }
}

override_resource {
  target = google_service_account.review
  values = {
    email  = "review@test-project.iam.gserviceaccount.com"
    member = "serviceAccount:review@test-project.iam.gserviceaccount.com"
  }
}

variables {
  project       = "test-project"
  supabase_url  = "https://abc.supabase.co"
  secret_values = { SUPABASE_SECRET_KEY = "not-a-key" }
}

run "everything" {
  # Who may invoke what

  assert {
    condition = alltrue([
      for name, function in local.functions :
      google_cloud_run_v2_service_iam_binding.invokers[name].members == toset(["serviceAccount:tasks@test-project.iam.gserviceaccount.com"])
      if function.kind == "item"
    ])
    error_message = "An item function is called by tasks and by nobody else."
  }

  assert {
    condition = alltrue([
      for name, function in local.functions :
      google_cloud_run_v2_service_iam_binding.invokers[name].members == toset(["serviceAccount:pubsub@test-project.iam.gserviceaccount.com"])
      if function.kind == "push"
    ])
    error_message = "A push function is called by Pub/Sub and by nobody else."
  }

  assert {
    condition     = [for name, binding in google_cloud_run_v2_service_iam_binding.invokers : name if contains(binding.members, "allUsers")] == ["api"]
    error_message = "The API, and nothing but the API, may be called by everybody."
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.function :
      function.service_config[0].ingress_settings == (name == "api" ? "ALLOW_ALL" : "ALLOW_INTERNAL_ONLY")
    ])
    error_message = "Only the API is reached from outside."
  }

  assert {
    condition     = alltrue([for binding in google_cloud_run_v2_service_iam_binding.invokers : binding.role == "roles/run.invoker"])
    error_message = "Callers may invoke, and do nothing else."
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.function : function.build_config[0].environment_variables == tomap({ SOURCE_DATE_EPOCH = "315532801" })])
    error_message = "The build makes bytecode that outlives the image's file times."
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.function :
      lookup(function.service_config[0].environment_variables, "PLATFORM_CHECKS_CALLERS", "") == (contains(local.functions[name].callers, "public") ? "" : "true")
    ])
    error_message = "A function believes that its caller was checked where Cloud Run checks callers, and nowhere else."
  }

  assert {
    condition     = alltrue([for function in google_cloudfunctions2_function.function : !contains(keys(function.service_config[0].environment_variables), "TRUSTED_HOPS")])
    error_message = "Reached directly, the API believes Cloud Run's own hop and no other."
  }

  # Secrets

  assert {
    condition = alltrue(flatten([
      for function in google_cloudfunctions2_function.function : [
        for name in keys(function.service_config[0].environment_variables) : !contains(local.secrets, name) && !can(regex("SECRET|PASSWORD|TOKEN$|API_KEY", name))
      ]
    ]))
    error_message = "A secret stands in plain in a function's environment."
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.function :
      toset([for secret in function.service_config[0].secret_environment_variables : secret.key]) == toset(local.functions[name].secrets)
      && alltrue([for secret in function.service_config[0].secret_environment_variables : secret.version != "latest"])
    ])
    error_message = "A function has the secrets its manifest names, each pinned by its version."
  }

  assert {
    condition = alltrue([
      for key, grant in google_secret_manager_secret_iam_member.read :
      contains(local.functions[split(":", key)[0]].secrets, split(":", key)[1]) && grant.role == "roles/secretmanager.secretAccessor"
    ])
    error_message = "A function reads its own secrets only."
  }

  # Queues

  assert {
    condition = (
      keys(google_cloud_tasks_queue.queue) == keys(local.quotas)
      && alltrue([for quota, queue in google_cloud_tasks_queue.queue : queue.rate_limits[0].max_dispatches_per_second == lookup(local.quotas[quota], "dispatches_per_minute", local.quotas[quota].requests_per_minute) / 60])
    )
    error_message = "There is a queue for each quota, as fast as functions/quotas.yaml says."
  }

  assert {
    condition = alltrue(flatten([
      for name, function in local.functions : google_cloud_tasks_queue.queue[function.quota].rate_limits[0].max_concurrent_dispatches <= function.max_instances * function.concurrency
      if function.kind == "item"
    ]))
    error_message = "A queue has more in flight than its functions' instances have room for."
  }

  assert {
    condition     = alltrue([for queue in google_cloud_tasks_queue.queue : queue.retry_config[0].max_attempts == -1])
    error_message = "A queue must outlive its items' attempts: what it gives up is lost without a trace."
  }

  # Messages

  assert {
    condition = alltrue([
      for topic, subscription in google_pubsub_subscription.push :
      subscription.dead_letter_policy[0].dead_letter_topic == google_pubsub_topic.dead[topic].id
      && google_pubsub_subscription.dead[topic].topic == google_pubsub_topic.dead[topic].id
      && google_pubsub_topic_iam_member.agent_buries[topic].topic == google_pubsub_topic.dead[topic].name
      && google_pubsub_subscription_iam_member.agent_takes[topic].subscription == subscription.name
    ])
    error_message = "Dead letters need a topic, somebody who keeps them, and an agent who may carry them there."
  }

  assert {
    condition = alltrue([
      for topic, subscription in google_pubsub_subscription.push :
      subscription.push_config[0].oidc_token[0].audience == local.urls[local.topics[topic]]
      && subscription.push_config[0].push_endpoint == local.urls[local.topics[topic]]
      && subscription.push_config[0].oidc_token[0].service_account_email == google_service_account.pubsub.email
    ])
    error_message = "A push carries the token that its function checks."
  }

  assert {
    condition = alltrue([
      for topic, subscription in google_pubsub_subscription.push : subscription.ack_deadline_seconds >= local.functions[local.topics[topic]].timeout_seconds
    ])
    error_message = "A push is sent again while its function is still at work."
  }

  assert {
    condition     = alltrue([for subscription in concat(values(google_pubsub_subscription.push), values(google_pubsub_subscription.dead)) : subscription.expiration_policy[0].ttl == ""])
    error_message = "A subscription that nothing comes to for a month would be deleted."
  }

  # Schedules

  assert {
    condition = alltrue([
      for name, job in google_cloud_scheduler_job.schedule :
      job.pubsub_target[0].data == base64encode(jsonencode({ function = name, limit = local.functions[name].schedule_limit })) && job.pubsub_target[0].topic_name == google_pubsub_topic.topic["fanout"].id
      if local.functions[name].kind == "item"
    ])
    error_message = "A function's schedule orders a run over its backlog."
  }

  assert {
    condition = alltrue([
      for name, job in google_cloud_scheduler_job.schedule :
      job.pubsub_target[0].data == base64encode(jsonencode(local.functions[name].order)) && job.pubsub_target[0].topic_name == google_pubsub_topic.topic[local.functions[name].topic].id
      if local.functions[name].kind == "push"
    ])
    error_message = "A push function's schedule says its order on its own topic."
  }

  assert {
    condition     = base64decode(google_cloud_scheduler_job.schedule["fanout"].pubsub_target[0].data) == "{\"sweep\":true}"
    error_message = "What was lost is swept up by a schedule."
  }

  # Functions know each other

  assert {
    condition     = jsondecode(google_cloudfunctions2_function.function["api"].service_config[0].environment_variables["FUNCTION_URLS"]) == { for name in keys(local.functions) : name => "https://piecework-${name}-123456789012.us-central1.run.app" }
    error_message = "The API knows every function by its URL."
  }

  assert {
    condition     = jsondecode(google_cloudfunctions2_function.function["article"].service_config[0].environment_variables["FUNCTION_URLS"]) == { article = local.urls.article }
    error_message = "An item function knows itself alone: another one more does not deploy it anew."
  }

  # Watching

  assert {
    condition     = length(setsubtract(["success_rate", "error_rate", "item_seconds", "queue_age", "dead_letters", "breaker_open", "retries", "token_spike", "cost_spike", "api_latency", "instances"], keys(google_monitoring_alert_policy.alert))) == 0
    error_message = "An alert is missing."
  }

  assert {
    condition     = contains(keys(google_monitoring_alert_policy.alert), "vision_errors") == (local.of_vision != "")
    error_message = "Vision is watched where there is some."
  }

  assert {
    condition = alltrue([
      for name in ["token_spike", "cost_spike"] :
      strcontains(google_monitoring_alert_policy.alert[name].conditions[0].condition_prometheus_query_language[0].query, "[7d] offset 6d)) > 0")
    ])
    error_message = "Without a week of history there is no usual to be above."
  }

  assert {
    condition = (
      length(split(" or ", google_monitoring_alert_policy.alert["instances"].conditions[0].condition_prometheus_query_language[0].query)) == length([for function in local.functions : function if function.max_instances > 1])
      && alltrue([
        for part in split(" or ", google_monitoring_alert_policy.alert["instances"].conditions[0].condition_prometheus_query_language[0].query) :
        strcontains(part, "state=\"active\"") && !strcontains(part, "over_time") && !endswith(part, ">= 1")
      ])
    )
    error_message = "Instances at work are counted moment by moment, of functions that may have several."
  }

  assert {
    condition     = length(regexall(":(0|\\[\\]|\"\"|null)[,}]", google_monitoring_dashboard.piecework.dashboard_json)) == 0
    error_message = "Monitoring keeps no zero and no empty list of a dashboard: each plan would put it back."
  }
}

run "private_and_one_function_less" {
  command = plan

  variables {
    public_api = false
    leave_out  = ["article"]
  }

  assert {
    condition     = !contains(keys(google_cloud_run_v2_service_iam_binding.invokers), "api")
    error_message = "A private API without callers has none."
  }

  assert {
    condition     = !contains(keys(google_cloudfunctions2_function.function), "article") && !contains(keys(google_service_account.function), "article") && !contains(keys(google_cloud_scheduler_job.schedule), "article")
    error_message = "What is left out leaves nothing behind."
  }
}

run "private_with_callers" {
  command = plan

  variables {
    public_api  = false
    api_callers = ["group:readers@example.com"]
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_binding.invokers["api"].members == toset(["group:readers@example.com"])
    error_message = "A private API is for its callers."
  }
}

run "private_and_shipped" {
  variables {
    public_api = false
    delivery = {
      repository   = "projects/test-project/locations/us-central1/connections/host/repositories/piecework"
      state_bucket = "test-project-state"
      environment  = "prod"
    }
  }

  assert {
    condition     = google_cloud_run_v2_service_iam_binding.invokers["api"].members == toset(["serviceAccount:deploy@test-project.iam.gserviceaccount.com"])
    error_message = "The pipeline tries a private API out."
  }

  assert {
    condition     = google_service_account_iam_member.deploy_token[0].member == google_service_account.deploy[0].member && google_service_account_iam_member.deploy_token[0].service_account_id == google_service_account.deploy[0].name
    error_message = "The pipeline makes its own token for it, and no other's."
  }
}

run "through_a_network_of_mine" {
  command = plan

  variables {
    vpc = { network = "mine", subnetwork = "mine-1" }
  }

  assert {
    condition     = length(google_compute_network.egress) == 0 && google_cloudfunctions2_function.function["article"].service_config[0].direct_vpc_network_interface[0].subnetwork == "mine-1"
    error_message = "Nothing is made where a network is given."
  }
}

run "all_that_can_be_switched_on" {
  variables {
    fixed_egress_ip = true
    monthly_budget  = 200
    billing_account = "012345-6789AB-CDEF01"
    alert_emails    = ["oncall@example.com"]
    delivery = {
      repository   = "projects/test-project/locations/us-central1/connections/host/repositories/piecework"
      state_bucket = "test-project-state"
      environment  = "prod"
    }
  }

  assert {
    condition = alltrue([
      for function in google_cloudfunctions2_function.function :
      function.service_config[0].direct_vpc_egress == "VPC_EGRESS_ALL_TRAFFIC" && function.service_config[0].direct_vpc_network_interface[0].subnetwork == google_compute_subnetwork.egress[0].id
    ])
    error_message = "Every function goes out through the network with the one address."
  }

  assert {
    condition     = google_cloudbuild_trigger.delivery["plan"].filename == "cloudbuild.review.yaml" && google_cloudbuild_trigger.delivery["ship"].filename == "cloudbuild.yaml"
    error_message = "A pull request is planned, a push is shipped."
  }

  assert {
    condition     = !google_cloudbuild_trigger.delivery["ship"].approval_config[0].approval_required
    error_message = "Unasked, nobody has to approve."
  }

  assert {
    condition     = alltrue([for grant in google_project_iam_member.deploy : !contains(["roles/owner", "roles/editor"], grant.role)])
    error_message = "The pipeline has no basic role."
  }

  assert {
    condition     = google_billing_budget.month[0].amount[0].specified_amount[0].units == "200" && length(google_billing_budget.month[0].all_updates_rule[0].monitoring_notification_channels) == 1
    error_message = "The budget tells those whom alerts reach."
  }

  assert {
    condition     = google_billing_account_iam_member.deploy[0].billing_account_id == "012345-6789AB-CDEF01" && google_billing_account_iam_member.deploy[0].role == "roles/billing.costsManager"
    error_message = "The pipeline looks after the budget, which is the billing account's."
  }

  assert {
    condition     = length(google_service_account_iam_member.deploy_token) == 0
    error_message = "A public API needs no token."
  }
}

run "the_longest_names_there_may_be" {
  command = plan

  variables {
    prefix          = "an-18-letter-prefi"
    project         = "a-project-of-thirty-letters-12"
    monthly_budget  = 200
    billing_account = "012345-6789AB-CDEF01"
  }

  assert {
    condition     = length(google_billing_budget.month[0].display_name) <= 60
    error_message = "A budget's name has 60 letters at most."
  }
}

run "a_budget_that_tells_nobody_has_no_rule" {
  command = plan

  variables {
    monthly_budget  = 200
    billing_account = "012345-6789AB-CDEF01"
  }

  assert {
    condition     = length(google_billing_budget.month[0].all_updates_rule) == 0
    error_message = "Google refuses an empty all_updates_rule."
  }
}

run "a_budget_tells_at_most_five_channels" {
  command = plan

  variables {
    monthly_budget        = 200
    billing_account       = "012345-6789AB-CDEF01"
    alert_emails          = ["a@example.com", "b@example.com", "c@example.com"]
    notification_channels = ["projects/p/notificationChannels/1", "projects/p/notificationChannels/2", "projects/p/notificationChannels/3"]
  }

  expect_failures = [var.monthly_budget]
}

run "a_budget_needs_an_account" {
  command = plan

  variables {
    monthly_budget = 200
  }

  expect_failures = [var.billing_account]
}

run "the_sample_site_is_not_for_deployments" {
  command = plan

  variables {
    settings = { article = { SAMPLE_SITE = "10.0.0.1:80" } }
  }

  expect_failures = [var.settings]
}

run "a_secret_is_no_setting" {
  command = plan

  variables {
    settings = { article = { GEMINI_API_KEY = "in plain" } }
  }

  expect_failures = [terraform_data.manifests]
}

run "a_deployment_has_secrets_of_its_own" {
  command = plan

  variables {
    more_secrets = { api = ["REDIS_URL"] }
  }

  assert {
    condition     = contains(google_cloudfunctions2_function.function["api"].service_config[0].secret_environment_variables[*].key, "REDIS_URL") && contains(keys(google_secret_manager_secret_iam_member.read), "api:REDIS_URL")
    error_message = "The API reads a secret that its manifest does not name."
  }
}

run "a_setting_is_for_a_function_there_is" {
  command = plan

  variables {
    settings = { articel = { GEMINI_MODEL = "other" } }
  }

  expect_failures = [terraform_data.manifests]
}

run "whom_the_api_believes_is_not_set_by_hand" {
  command = plan

  variables {
    settings = { api = { PLATFORM_CHECKS_CALLERS = "true" } }
  }

  expect_failures = [terraform_data.manifests]
}

run "nor_for_every_function_at_once" {
  command = plan

  variables {
    settings = { "*" = { PLATFORM_CHECKS_CALLERS = "true" } }
  }

  expect_failures = [terraform_data.manifests]
}

run "hops_are_not_trusted_where_the_load_balancer_can_be_left_out" {
  command = plan

  variables {
    settings = { api = { TRUSTED_HOPS = "2" } }
  }

  expect_failures = [terraform_data.manifests]
}

run "behind_a_load_balancer" {
  variables {
    load_balancer_url = "https://api.example.com"
    public_api        = false
    api_callers       = ["group:readers@example.com"]
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.function :
      function.service_config[0].ingress_settings == (name == "api" ? "ALLOW_INTERNAL_AND_GCLB" : "ALLOW_INTERNAL_ONLY")
    ])
    error_message = "Behind a load balancer the API is reached through it alone."
  }

  assert {
    condition = alltrue([
      for name, function in google_cloudfunctions2_function.function :
      lookup(function.service_config[0].environment_variables, "TRUSTED_HOPS", "") == (name == "api" ? "2" : "")
    ])
    error_message = "Two hops are trusted by the API behind the load balancer, and by nobody else."
  }

  assert {
    condition     = output.api_url == "https://api.example.com" && output.api_audience == "https://piecework-api-123456789012.us-central1.run.app"
    error_message = "The API is asked through the load balancer, and a token for it names the service behind."
  }
}

run "requests_are_planned_by_an_account_that_can_only_read" {
  variables {
    delivery = {
      repository       = "projects/test-project/locations/us-central1/connections/host/repositories/piecework"
      state_bucket     = "test-project-state"
      environment      = "prod"
      require_approval = true
    }
  }

  assert {
    condition     = google_cloudbuild_trigger.delivery["plan"].service_account == google_service_account.review[0].id && google_cloudbuild_trigger.delivery["ship"].service_account == google_service_account.deploy[0].id
    error_message = "A pull request is planned by the account that reads, a push is shipped by the one that deploys."
  }

  assert {
    condition = alltrue([
      for grant in google_project_iam_member.review :
      can(regex("(viewer|Viewer|reader|Reviewer|browser|logWriter|serviceUsageConsumer)$", grant.role)) && !contains(["roles/viewer", "roles/logging.viewer"], grant.role)
    ])
    error_message = "The account that plans requests changes nothing, and reads no log and no object that it need not."
  }

  assert {
    condition     = keys(google_storage_bucket_iam_member.review) == ["bundles", "state"] && google_secret_manager_secret_iam_member.review[0].secret_id == "piecework-deployment"
    error_message = "A plan reads the state, the bundles, and what the deployment is described by; no other object and no other secret."
  }

  assert {
    condition     = google_cloudbuild_trigger.delivery["ship"].approval_config[0].approval_required && !google_cloudbuild_trigger.delivery["plan"].approval_config[0].approval_required
    error_message = "Somebody approves what is shipped; a plan waits for nobody."
  }

  assert {
    condition     = length(google_iam_workload_identity_pool.github) == 0
    error_message = "Without GitHub nobody of GitHub is let in."
  }
}

run "shipped_from_github_alone" {
  variables {
    delivery = {
      state_bucket = "test-project-state"
      environment  = "prod"
      github       = { repository = "owner/piecework" }
    }
  }

  assert {
    condition     = length(google_cloudbuild_trigger.delivery) == 0
    error_message = "Cloud Build has no trigger where no repository is connected."
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_condition == "assertion.repository == 'owner/piecework'"
    error_message = "Any repository of GitHub could ask."
  }

  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_mapping["attribute.may"] == "assertion.event_name == 'pull_request' ? 'review' : assertion.ref == 'refs/heads/main' && assertion.environment == 'prod' ? 'ship' : 'nothing'"
    error_message = "Only a job for the branch, in the environment, ships; a pull request is reviewed, whatever it calls its environment."
  }

  assert {
    condition = (
      google_service_account_iam_member.github["ship"].service_account_id == google_service_account.deploy[0].name
      && google_service_account_iam_member.github["review"].service_account_id == google_service_account.review[0].name
      && alltrue([for may, grant in google_service_account_iam_member.github : endswith(grant.member, "/attribute.may/${may}")])
    )
    error_message = "Each kind of job acts as its own account."
  }
}

run "a_pipeline_is_one_that_there_is" {
  command = plan

  variables {
    delivery = { state_bucket = "test-project-state", environment = "prod" }
  }

  expect_failures = [var.delivery]
}

run "a_branch_cannot_write_the_condition" {
  command = plan

  variables {
    delivery = {
      state_bucket = "test-project-state"
      environment  = "prod"
      github       = { repository = "owner/piecework", branch = "main' || true || '" }
    }
  }

  expect_failures = [var.delivery]
}
