rm states.yaml
