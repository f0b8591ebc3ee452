mkdir rules/lists; mkfifo rules/lists/more.yaml
