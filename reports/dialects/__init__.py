"""The same run by other tools' definitions, in the report's process.

`requests` is what those need of each request, `definitions` has them, a row each, `statistics` their means and
percentiles, `table` is what `report --as TOOL` shows.
"""
