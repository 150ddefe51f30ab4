"""Who asked, for records made by hand."""

from tokenswarm.metrics.record import Identity

WHO = Identity(1, 7, "OllamaChatUser", "/api/chat", "m", "p-1", 64)
