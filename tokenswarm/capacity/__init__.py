"""How much it can take: the search for the highest load that meets the SLOs."""
