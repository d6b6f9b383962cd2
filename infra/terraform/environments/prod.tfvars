# The deployment that works.
# project, supabase_url and alert_emails are given beside it: -var, TF_VAR_..., or a file that is not committed.
prefix       = "piecework"
labels       = { stage = "prod" }
protect_data = true
schedules    = true
