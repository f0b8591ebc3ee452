"""supportbot: a chatbot that support staff describe in YAML, checked like code."""

__version__ = "0.1.0"
