"""Checks of answers: `table` has them all, a row each; `case` is what one judges.

`json_schema` (bounded beforehand by `schema_cost`), `repetition` and `expect` (bounded by `time_limit`) are those that
need more than a line. In the process whose user asked, after the answer has ended.
"""
