# A deployment to try things in: nothing runs by itself, everything may be destroyed.
# project and supabase_url are given beside it: -var, TF_VAR_..., or a file that is not committed.
prefix       = "piecework-dev"
labels       = { stage = "dev" }
protect_data = false
schedules    = false
alerts       = { enabled = false }
