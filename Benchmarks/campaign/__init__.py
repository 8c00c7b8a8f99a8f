"""Long fault counts: each a seeded scenario that ends with an account of every value."""
