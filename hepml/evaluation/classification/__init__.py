"""What taggers reach: metrics, comparisons, reports and figures."""
