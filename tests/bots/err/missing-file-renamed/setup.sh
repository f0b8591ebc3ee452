mv states.yaml state.yaml
