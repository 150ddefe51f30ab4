"""The simulator's time: schedule, loader, runner, slots."""
