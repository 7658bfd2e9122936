"""One range of entries as one batch: rows, momenta, and what is wrong with them."""
