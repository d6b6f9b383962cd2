# Where the state is kept; which bucket and whose state in it, terraform init is told. The targets of the Makefile do it each time:
#
#   terraform init -backend-config=bucket=BUCKET -backend-config=prefix=piecework/dev
terraform {
  backend "gcs" {}
}
