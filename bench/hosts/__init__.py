"""Several hosts on one machine: network namespaces, what befalls them, and whether anything was lost."""
