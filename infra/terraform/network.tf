# The way out. By default straight; with fixed_egress_ip through one address; with vpc through a network of yours.

locals {
  network = var.vpc != null ? var.vpc : !var.fixed_egress_ip ? null : {
    network    = google_compute_network.egress[0].id
    subnetwork = google_compute_subnetwork.egress[0].id
    tags       = []
  }
}

resource "google_compute_network" "egress" {
  count = var.fixed_egress_ip ? 1 : 0

  name                    = "${var.prefix}-egress"
  auto_create_subnetworks = false

  depends_on = [time_sleep.services]
}

# Each instance takes an address or two of it, and keeps them a while after it is gone.
resource "google_compute_subnetwork" "egress" {
  count = var.fixed_egress_ip ? 1 : 0

  name                     = "${var.prefix}-egress"
  region                   = var.region
  network                  = google_compute_network.egress[0].id
  ip_cidr_range            = "10.8.0.0/22"
  private_ip_google_access = true
}

resource "google_compute_address" "egress" {
  count = var.fixed_egress_ip ? 1 : 0

  name   = "${var.prefix}-egress"
  region = var.region

  depends_on = [time_sleep.services]
}

resource "google_compute_router" "egress" {
  count = var.fixed_egress_ip ? 1 : 0

  name    = "${var.prefix}-egress"
  region  = var.region
  network = google_compute_network.egress[0].id
}

resource "google_compute_router_nat" "egress" {
  count = var.fixed_egress_ip ? 1 : 0

  name                               = "${var.prefix}-egress"
  region                             = var.region
  router                             = google_compute_router.egress[0].name
  nat_ip_allocate_option             = "MANUAL_ONLY"
  nat_ips                            = [google_compute_address.egress[0].id]
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}
