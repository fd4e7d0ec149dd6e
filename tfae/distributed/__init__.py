"""Several workers that train one run together."""
