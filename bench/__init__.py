"""How well this instrument measures, and what it costs, beside others."""
