"""How the values of numeric fields have changed, from quantiles and ranks."""
