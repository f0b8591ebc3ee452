"""The command line: one file a verb, and the only place that wires adapters to the runtime."""
