"""What is measured: each contestant reads the same mine and publishes to the same broker."""
