"""A scenario a module; each has a `scenario`."""
