rm -r prompts; echo hello > prompts
