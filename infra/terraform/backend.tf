# Where the state is kept; which bucket, terraform init is told:
#
#   terraform init -backend-config=bucket=BUCKET -backend-config=prefix=piecework/dev
terraform {
  backend "gcs" {}
}
