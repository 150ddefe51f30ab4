"""What it means: reports over run folders and over Locust's own CSV files. Reads files only."""
