"""What was seen: Record, the METRICS table, the ledger; publishing to Locust's statistics and to the run folder."""
