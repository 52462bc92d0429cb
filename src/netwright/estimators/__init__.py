"""Performance estimation: from a proposal to metrics."""
