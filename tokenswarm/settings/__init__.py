"""What is wanted: options, the target, models and their weights, secrets; a mistake is one line."""
