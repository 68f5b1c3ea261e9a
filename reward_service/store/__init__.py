"""What outlives a request: stored tasks, batches, answers by key, outcomes; in memory or Redis."""
