mkdir rules/lists; head -c 17000000 /dev/zero | tr '\0' '#' > rules/lists/more.yaml
