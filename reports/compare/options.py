"""Which of a run's options make two runs incomparable when they differ, and which are what is compared."""

# The load, and what is asked: where these differ, the sides had other work to do.
LOAD = (
    *("num_users", "stages", "arrivals", "trace", "trace_window", "trace_scale_tokens", "speed", "depths"),
    *("think_time", "weights"),
)
PROMPTS = (
    *("payloads", "prompt_tokens", "prompt_language", "shared_prefix_tokens", "prefix_pool", "unique_prompts"),
    *("batch_size", "history", "history_thinking", "tool_rounds", "tool_result"),
)
OPEN_LOOP = ("arrivals", "trace")  # with these the users are clients, and their number is no load
# Where and how a run was kept and shown, and what has a line of its own.
IGNORED = (
    *("run_id", "run_dir", "name", "scale", "no_report", "keep_text", "model", "seed", "run_time", "warm_requests"),
    *("metrics_port", "web_user", "web_password_file", "worker_token_file", "api_key_file", "sample_every"),
    *("probe", "pull", "push", "slo", "slo_abort", "find_capacity", "trial_time", "stop_timeout", "processes"),
)
