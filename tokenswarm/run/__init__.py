"""The run: its begin and end in each process, Locust's runners, rows on their way to the master."""
