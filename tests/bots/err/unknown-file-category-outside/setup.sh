mv rules/categories/printing.yaml rules/printing.yaml
