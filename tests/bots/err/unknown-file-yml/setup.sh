mv rules/categories/printing.yaml rules/categories/printing.yml
