rm -r rules/categories
