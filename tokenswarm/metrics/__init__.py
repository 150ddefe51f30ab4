"""What was seen: Record, the METRICS table, what an answer comes to. Pure, in every process and in reports.

`interpret` and `record_builder` make a Record of a Transcript, `catalogue` has every number of it; `histogram`,
`percentile`, `output` and `live_view` sum them up; `clock` and `load_state` place them. `checks/`, `slo/` and
`validity/` judge: an answer, a goal, a run.
"""
