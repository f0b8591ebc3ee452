mkdir rules/lists; ln -s /etc/hostname rules/lists/more.yaml
