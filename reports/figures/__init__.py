"""The figures of a report, one file each; `registry.FIGURES` lists them."""
