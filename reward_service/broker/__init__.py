"""The queue between those who ask for work and those who do it; it knows nothing of rewards."""
